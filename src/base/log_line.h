#pragma once
// How one log line looks, as text or JSON. Pure functions.

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"

namespace tribune::base {

std::string_view to_string(LogLevel);

/// With a line end. Control bytes and quotes in values are escaped: one event is one line, whatever a client sends.
std::string format_line(LogFormat, WallTime, LogLevel, std::string_view component, std::string_view event, LogFields);

}  // namespace tribune::base
