#pragma once
// What a viewer's query asks of a playlist. Pure functions.

#include <optional>
#include <string>
#include <string_view>

#include "balancer/sources/source.h"
#include "base/result.h"

namespace tribune::balancer {

/// _HLS_msn and _HLS_part; nothing when there is no _HLS_msn. Errors: invalid_input, fault client, for numbers that are
/// none and a part without an MSN (RFC 8216bis section 6.2.5.2).
base::Result<std::optional<BlockingReload>> blocking_reload(std::string_view query);

/// The query without what players and our API add: what the origin's own URL had.
std::string origin_query(std::string_view query);

}  // namespace tribune::balancer
