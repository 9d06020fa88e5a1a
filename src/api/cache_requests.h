#pragma once
// The requests by which a client finds a cache: the list of the caches to ping, and the reports of what its pings
// showed. Pure functions that make the request to the balancer. Their errors are invalid_input, fault client.

#include <cstddef>

#include "base/result.h"
#include "contracts/access_request.h"
#include "http/message.h"

namespace tribune::api {

/// Longer than any ticket or token.
inline constexpr std::size_t kMaxPassBytes = 256;

/// Whether the request is for the caches to ping for a channel: GET /api/v1/caches?channel=. Without it, the list is
/// that of the configuration.
bool names_channel(const http::Request&);
/// Errors: a channel that is no id, or a further key in the query.
base::Result<contracts::AccessRequest> cache_list_request(const http::Request&);

/// Parses the body of POST /api/v1/sessions/{session}/reports: {"gone"?, "cache"?, "reachable"?: [{"receipt",
/// "rtt_ms"?}]}, with at least one of them. The caller adds the session.
base::Result<contracts::AccessRequest> session_report(const http::Request&);

/// Parses the body of POST /api/v1/caches/pings: the members of a session's report, "channel" and "session"?. An empty
/// list "reachable" without "cache" means that no cache answered.
base::Result<contracts::AccessRequest> pings_report(const http::Request&);

}  // namespace tribune::api
