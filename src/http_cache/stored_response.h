#pragma once
// A stored response, and the response to a client that is made from it: age, conditional requests, ranges. Pure
// functions.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "http/conditional.h"
#include "http/freshness.h"
#include "http/message.h"
#include "http/range.h"

namespace tribune::http_cache {

/// Immutable once it is in the store.
struct StoredResponse {
  http::StoredHead head;  // with status 200 where a partial response (206) is stored
  std::string variant;    // http::variant_key() of the request that fetched it
  base::SharedBytes body;
  std::optional<http::ByteRange> part;  // set where the body is only this part of the representation
  std::uint64_t whole_length = 0;       // bytes of the whole representation; only with `part`
};
using StoredResponsePtr = std::shared_ptr<const StoredResponse>;

http::Validators validators_of(const http::Headers&);

/// Whether a stored part contains all that the request asks for; always true for a whole body.
bool covers(const StoredResponse&, const http::Headers& request);

/// 200 (or the stored status), 206, 304, 412 or 416. The stored response must cover the request.
http::Response answer_from(const StoredResponse&, const http::Request&, base::WallTime now);

/// Both parts combined where they overlap or adjoin and share a strong validator (RFC 9111 section 3.4); otherwise the
/// newer one.
StoredResponsePtr combined(const StoredResponsePtr& older, StoredResponsePtr newer);

}  // namespace tribune::http_cache
