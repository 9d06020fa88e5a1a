#pragma once
// A stored response, and the response to a client that is made from it: age, conditional requests, ranges. Pure
// functions.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "http/conditional.h"
#include "http/freshness.h"
#include "http/message.h"
#include "http/range.h"
#include "http_cache/sliced_body.h"

namespace tribune::http_cache {

/// Immutable once it is in the store or in a transfer.
struct StoredResponse {
  http::StoredHead head;                // with status 200 where a partial response (206) is stored
  std::string vary;                     // the value of Vary; empty: the response does not vary
  std::string variant;                  // http::variant_key() of the request that fetched it
  std::string language;                 // http::language_of_variant()
  SlicedBody body;                      // empty in a transfer, whose body is still arriving
  std::optional<http::ByteRange> part;  // set where the body is only this part of the representation
  std::uint64_t whole_length = 0;       // bytes of the whole representation; only with `part`
};
using StoredResponsePtr = std::shared_ptr<const StoredResponse>;

/// A response that the request receives, without its body.
StoredResponse stored_head(http::StoredHead, const http::Headers& request);

http::Validators validators_of(const http::Headers&);

/// Whether a stored part contains all that the request asks for; always true for a whole body.
bool covers(const StoredResponse&, const http::Request&);

/// A response whose body may have several slices; the body of `head` is empty.
struct SlicedAnswer {
  http::Response head;
  SlicedBody body;
};

/// 200 (or the stored status), 206, 304, 412 or 416. The stored response must cover the request.
SlicedAnswer answer_from(const StoredResponse&, const http::Request&, base::WallTime now);

/// Both parts as one, without copying either, where they overlap or adjoin, share a strong validator (RFC 9111 section
/// 3.4), and have at most `max_bytes` together and 64 slices. Of two parts of the same representation that are not
/// combined, the longer one; otherwise the newer one.
StoredResponsePtr combined(const StoredResponsePtr& older, StoredResponsePtr newer, std::uint64_t max_bytes);

}  // namespace tribune::http_cache
