#pragma once
// The format of one log line, as text or JSON. Pure functions.

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"

namespace tribune::base {

std::string_view to_string(LogLevel);

/// Ends with a newline. Control characters and quotes in values are escaped, so that one event is always one line.
std::string format_line(LogFormat, WallTime, LogLevel, std::string_view component, std::string_view event, LogFields);

}  // namespace tribune::base
