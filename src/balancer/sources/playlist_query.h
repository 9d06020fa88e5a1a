#pragma once
// The query of a viewer's playlist request. Pure functions.

#include <optional>
#include <string>
#include <string_view>

#include "balancer/sources/source.h"
#include "base/result.h"

namespace tribune::balancer {

/// _HLS_msn and _HLS_part; nullopt without _HLS_msn. Errors: invalid_input, fault client, for values that are no
/// numbers and a part without an MSN (RFC 8216bis section 6.2.5.2).
base::Result<std::optional<BlockingReload>> blocking_reload(std::string_view query);

/// The query without the keys that players and this API add: the query of the origin's own URL.
std::string origin_query(std::string_view query);

}  // namespace tribune::balancer
