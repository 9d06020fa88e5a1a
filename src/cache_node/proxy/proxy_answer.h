#pragma once
// A stored response turned into the answer to one request: its age, conditions, ranges. Pure functions.

#include "cache_node/proxy/proxy_store.h"
#include "http/cache_status.h"
#include "http/conditional.h"
#include "http/message.h"

namespace tribune::cache_node {

http::Validators validators_of(const http::Headers&);

/// Whether a stored part holds all that the request asks for; true for whole bodies.
bool covers(const ProxyEntry&, const http::Headers& request);

/// 200 (or the stored status), 206, 304, 412 or 416. The entry must cover the request.
http::Response answer_from(const ProxyEntry&, const http::Request&, base::WallTime now);

/// Both parts in one where they touch and share a strong validator (RFC 9111 section 3.4); the newer one alone
/// otherwise.
ProxyEntryPtr combined(const ProxyEntryPtr& older, ProxyEntryPtr newer);

}  // namespace tribune::cache_node
