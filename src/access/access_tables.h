#pragma once
// Names of tables of the balancer's store. Those of sessions are in session_record.h and past_sessions.h.

#include <string_view>

namespace tribune::access {

inline constexpr std::string_view kLinesTable = "access_lines";  // one record for each lane of each channel's queue
inline constexpr std::string_view kLimitsTable = "access_limits";

}  // namespace tribune::access
