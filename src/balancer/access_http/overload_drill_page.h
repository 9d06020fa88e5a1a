#pragma once
// The pages with which an operator confirms a change of the overload drill in a browser. They need no script and load
// nothing. Pure functions; every text is escaped.

#include <string>
#include <string_view>

#include "access/admission.h"

namespace tribune::balancer {

struct DrillConfirmation {
  std::string channel;  // empty: everything
  access::Drill now;
  access::Drill next;
  std::string query;         // of the POST
  std::string confirmation;  // the value that proves that the POST comes from this page
};

/// The page with one button, which sends POST ?{query} with `confirmation` to the path of the page.
std::string drill_confirmation_page(const DrillConfirmation&);

/// The page after the change.
std::string drill_result_page(std::string_view channel, const access::Drill& drill);

}  // namespace tribune::balancer
