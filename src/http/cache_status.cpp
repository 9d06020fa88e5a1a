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
  auto out = StructuredFieldWriter::parameters_of(token_or_string(cache), "; ");
  if (status.hit) out.flag("hit");
  if (status.forward && !status.hit) {
    out.token("fwd", to_string(*status.forward));
    if (status.forward_status) out.integer("fwd-status", *status.forward_status);
  }
  if (status.ttl_seconds) out.integer("ttl", *status.ttl_seconds);
  if (status.stored) out.flag("stored");
  if (status.collapsed) out.flag("collapsed");
  // The type of the key is always a string (section 2.7).
  if (!status.key.empty()) out.string("key", status.key);
  if (!status.detail.empty()) out.token_or_string("detail", status.detail);
  return out.take();
}

}  // namespace tribune::http
