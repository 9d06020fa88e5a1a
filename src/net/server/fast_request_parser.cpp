#include "net/server/fast_request_parser.h"

#include "base/bytes.h"

namespace tribune::net {
namespace {

constexpr std::string_view kEnd = "\r\n\r\n";

/// Removes the text up to and including the next CRLF, and returns it without the CRLF.
std::string_view take_line(std::string_view& text) {
  const auto end = text.find("\r\n");
  const auto line = text.substr(0, end);
  text.remove_prefix(end + 2);
  return line;
}

}  // namespace

bool looks_like_plain_head(std::string_view bytes) {
  return bytes.starts_with("GET /") && bytes.ends_with(kEnd) && bytes.find(kEnd) == bytes.size() - kEnd.size();
}

std::optional<std::string_view> read_plain_head(std::string_view head, http::Request& request) {
  constexpr std::string_view kMethod = "GET ", kVersion = " HTTP/1.1";
  auto target = take_line(head);
  if (!target.ends_with(kVersion)) return std::nullopt;
  target.remove_prefix(kMethod.size());
  target.remove_suffix(kVersion.size());
  request.method = http::Method::get;
  while (head.size() > 2) {
    const auto line = take_line(head);
    const auto colon = line.find(':');
    const auto name = line.substr(0, colon), value = base::trimmed(line.substr(colon + 1));
    if (name.size() == 4 && http::equals_ignoring_case(name, "host")) request.host = value;
    if (name.size() == 10 && http::equals_ignoring_case(name, "connection") &&
        !http::equals_ignoring_case(value, "keep-alive"))
      return std::nullopt;
    request.headers.add(name, value);
  }
  return target;
}

}  // namespace tribune::net
