#include "http/cache_status.h"

#include "http/structured_field.h"

namespace tribune::http {

std::string_view to_string(Forward forward) {
  switch (forward) {
    case Forward::bypass: return "bypass";
    case Forward::method: return "method";
    case Forward::uri_miss: return "uri-miss";
    case Forward::vary_miss: return "vary-miss";
    case Forward::miss: return "miss";
    case Forward::request: return "request";
    case Forward::stale: return "stale";
    case Forward::partial: return "partial";
  }
  return "miss";
}

std::string cache_status(std::string_view cache, const CacheStatus& status) {
  std::string out = token_or_string(cache);
  if (status.hit) out += "; hit";
  if (status.forward && !status.hit) {
    out.append("; fwd=").append(to_string(*status.forward));
    if (status.forward_status) out += "; fwd-status=" + std::to_string(*status.forward_status);
  }
  if (status.ttl_seconds) out += "; ttl=" + std::to_string(*status.ttl_seconds);
  if (status.stored) out += "; stored";
  if (status.collapsed) out += "; collapsed";
  // The key's type is a string whatever it holds (section 2.7).
  if (!status.key.empty()) out += "; key=" + string_item(status.key);
  if (!status.detail.empty()) out += "; detail=" + token_or_string(status.detail);
  return out;
}

}  // namespace tribune::http
