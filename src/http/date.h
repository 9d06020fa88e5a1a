#pragma once
// HTTP dates (RFC 9110 section 5.6.7). Pure functions.

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace tribune::http {

std::string format_date(base::WallTime);                     // IMF-fixdate
std::optional<base::WallTime> parse_date(std::string_view);  // all three forms

}  // namespace tribune::http
