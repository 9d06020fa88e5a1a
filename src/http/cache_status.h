#pragma once
// The handling of a request by a cache, as the Cache-Status field reports it (RFC 9211). Pure functions.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tribune::http {

/// The reason why a request was forwarded to the origin (section 2.2).
enum class Forward { bypass, method, uri_miss, vary_miss, miss, request, stale, partial };

std::string_view to_string(Forward);

/// One cache's member of the field. Either `hit`, or `forward` with its outcome.
struct CacheStatus {
  bool hit = false;
  std::optional<Forward> forward = {};
  std::optional<int> forward_status = {};        // the status of the next hop's response
  std::optional<std::int64_t> ttl_seconds = {};  // remaining freshness; negative when stale
  bool stored = false;
  bool collapsed = false;  // the request waited for the fill of another one
  std::string key = {};
  std::string detail = {};
};

/// "stadium; fwd=miss; fwd-status=200; stored": an RFC 9651 item with parameters. `cache` is the node's id.
std::string cache_status(std::string_view cache, const CacheStatus&);

}  // namespace tribune::http
