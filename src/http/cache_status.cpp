#include "http/cache_status.h"

#include "http/uri_bytes.h"

namespace tribune::http {
namespace {

bool is_token(std::string_view text) {
  if (text.empty() || (!is_alpha(text.front()) && text.front() != '*')) return false;
  for (const char c : text) {
    if (!is_alpha(c) && !is_digit(c) && std::string_view("!#$%&'*+-.^_`|~:/").find(c) == std::string_view::npos) return false;
  }
  return true;
}

/// A bare item of RFC 8941: a token where the text is one, otherwise a string. What no string can hold becomes '?'.
std::string token_or_string(std::string_view text) {
  if (is_token(text)) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += is_control(c) || static_cast<unsigned char>(c) > 0x7e ? '?' : c;
  }
  return out += '"';
}

}  // namespace

std::string_view word(Forward forward) {
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
    out.append("; fwd=").append(word(*status.forward));
    if (status.forward_status) out += "; fwd-status=" + std::to_string(*status.forward_status);
  }
  if (status.ttl_seconds) out += "; ttl=" + std::to_string(*status.ttl_seconds);
  if (status.stored) out += "; stored";
  if (status.collapsed) out += "; collapsed";
  // The key's type is a string whatever it holds (section 2.7).
  if (!status.key.empty()) {
    const auto key = token_or_string(status.key);
    out.append("; key=").append(key.front() == '"' ? key : '"' + key + '"');
  }
  if (!status.detail.empty()) out += "; detail=" + token_or_string(status.detail);
  return out;
}

}  // namespace tribune::http
