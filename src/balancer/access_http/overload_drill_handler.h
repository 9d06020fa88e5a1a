#pragma once
// GET /access_queue_switch: the simulation of an overload. Without a query it turns the simulation on or off for
// everything. ?state=on|off sets it; ?sessions=N and ?mbps=N simulate a load instead of closing; ?channel=ID restricts
// them to one channel. HEAD changes nothing. Only for operators (operator_rules.h).
//
// A GET that a page of another site may have caused changes nothing either: it gets a page with one button, which sends
// the same request as POST. The POST has to come from that page: its Origin is this site, which no page of another site
// can write, and its body has a value that is signed for the query, the client and some minutes.

#include <mutex>
#include <string>
#include <string_view>

#include "access/admission.h"
#include "balancer/settings/event_view.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/result.h"
#include "http/message.h"

namespace tribune::balancer {

/// The drill that a query requests.
struct DrillOrder {
  std::string channel;  // empty: everything
  access::Drill drill;
};
/// `now`: the present drill. Errors: invalid_input, fault client, also for an unknown or repeated parameter and for a
/// query that requests nothing.
base::Result<DrillOrder> drill_order(std::string_view query, const access::Drill& now);

/// Any thread; locks inside.
class OverloadDrillHandler {
 public:
  /// The parts outlive it.
  OverloadDrillHandler(const base::Clock&, base::Log&, base::Metrics&, access::Admission&, const PublishedView&);

  http::Response answer(const http::Request&);

 private:
  http::Response refuse(const http::Request&, std::string_view reason);
  /// Why the POST confirms nothing, as a literal; empty when it confirms its query.
  std::string_view wrong_confirmation(const http::Request&, const EventView&) const;
  http::Response confirmation_page(const http::Request&, const EventView&, const DrillOrder&, const access::Drill& now);
  void set(const http::Request&, const DrillOrder&);

  const base::Clock& clock_;
  base::Log& log_;
  access::Admission& admission_;
  const PublishedView& view_;
  base::Counter used_, refused_, unconfirmed_;
  std::mutex mutex_;  // concurrent toggles see each other's result
};

}  // namespace tribune::balancer
