#include "net/server/request_target.h"

#include <utility>

#include "http/uri.h"

namespace tribune::net {

bool set_target(http::Request& request, std::string_view target) {
  if (!target.starts_with('/') && target != "*") {  // absolute form (RFC 9112 section 3.2.2)
    const auto authority = target.find("://");
    const auto path = authority == std::string_view::npos ? authority : target.find_first_of("/?", authority + 3);
    target = path == std::string_view::npos ? std::string_view("/") : target.substr(path);
  }
  const auto question = target.find('?');
  if (question != std::string_view::npos) request.query = target.substr(question + 1);
  const auto raw = target.substr(0, question);
  if (raw == "*" || raw.empty()) {
    request.path = raw.empty() ? "/" : "*";
    return true;
  }
  auto path = http::canonical_path(raw);
  if (!path) return false;
  request.path = std::move(*path);
  return true;
}

}  // namespace tribune::net
