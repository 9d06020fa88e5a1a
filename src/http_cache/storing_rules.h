#pragma once
// What this cache stores, and how the response to one client changes what others receive. RFC 9111 has the general
// rules (http/storing.h); these are stricter wherever one client's request could decide what all others get. Pure
// functions.

#include <chrono>
#include <cstdint>
#include <optional>

#include "http/freshness.h"
#include "http/storing.h"
#include "http_cache/http_cache_settings.h"
#include "http_cache/origin_request.h"
#include "http_cache/stored_response.h"

namespace tribune::http_cache {

/// GET and HEAD.
bool is_read(http::Method);

/// Whether the status is a verdict on the fields of one request, such as its conditions, its credentials or its size.
/// Such a response is never stored: 400, 401, 406 to 408, 412 to 417, 421, 425, 426, 428, 429, 431, 511.
bool concerns_one_request(int status);

/// Whether a stored response with this status serves further requests for keep_errors at most, whatever lifetime the
/// origin gives it: 500 and above, and 4xx except 404, 405, 410 and 451, which describe the resource.
bool is_kept_briefly(int status);

/// The origin's response, as far as it decides whether it is stored.
struct ReceivedHead {
  const http::StoredHead& head;
  std::optional<std::uint64_t> length;  // of the body, if it is known
  bool ends_with_connection = false;    // a truncated body is not detectable
};

/// The response as it is stored, without its body; null if it must not be stored. `replaced`: the stored response of
/// the same variant, which an error does not replace while it is fresh.
std::shared_ptr<StoredResponse> storable(const OriginRequest&, const ReceivedHead&, const StoredResponsePtr& replaced,
                                         const HttpCacheSettings&);

/// How a 304, or the 200 to a HEAD, changes the stored response that it describes.
struct Update {
  enum class Effect {
    none,        // the stored response remains as it is
    replace,     // by `fresh`
    invalidate,  // it is outdated
  };
  Effect effect = Effect::none;
  StoredResponsePtr fresh;  // with the updated head; set for every 304
};
Update update_by_304(const OriginRequest&, const http::StoredHead& response, const StoredResponsePtr& stored,
                     const HttpCacheSettings&);
/// Whether only a request to the origin that this client caused may lead to the response: it has no-cache, or it is
/// stale at once and must be revalidated or was made for a cookie (RFC 9111 section 5.2.2). It may be stored.
bool needs_own_validation(const http::StoredHead&, const OriginRequest&, const HttpCacheSettings&);

/// The response has the Content-Length that the origin states, if any.
Update update_by_head(const OriginRequest&, const http::StoredHead& response, const StoredResponsePtr& stored,
                      const HttpCacheSettings&);

/// Whether the stored response, if there is one, serves this request when the origin fails.
bool may_serve_for_error(const StoredResponsePtr&, const http::Request&, const HttpCacheSettings&, base::WallTime now);

http::FreshnessRules freshness_rules(const HttpCacheSettings&);

}  // namespace tribune::http_cache
