// Any bytes as the head of a response, line by line: no crash, and an accepted head meets the guarantees of the
// validator.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "net/client/response_framing_validator.h"

using namespace tribune;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check_promises(const net::ResponseFramingValidator& guard) {
  require(guard.status() >= 200 && guard.status() <= 599);
  require(guard.headers().all().size() <= net::ResponseFramingValidator::kMaxFields);
  require(guard.headers().count("Content-Length") + guard.headers().count("Transfer-Encoding") <= 1);
  require(guard.headers().count("Content-Length") == (guard.content_length() ? 1 : 0));
  require(!guard.content_length() || *guard.content_length() <= std::uint64_t{INT64_MAX});
  require(!guard.ends_with_connection() || (guard.has_body() && guard.is_http1()));
  for (const auto& [name, value] : guard.headers().all()) {
    require(!name.empty() && name.find_first_of(" \t\r\n:") == std::string::npos);
    require(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (text.empty()) return 0;
  net::ResponseFramingValidator guard((text.front() & 1) != 0 ? http::Method::get : http::Method::head);
  guard.over_http2((text.front() & 2) != 0);
  text.remove_prefix(1);
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end == std::string_view::npos ? text.size() : end + 1);
    text.remove_prefix(line.size());
    const bool was_whole = guard.has_whole_head();
    const auto seen = guard.line(line);
    if (!seen) {
      require(seen.error().kind == base::ErrorKind::protocol && seen.error().fault == base::Fault::origin);
      return 0;
    }
    require((*seen == net::ResponseFramingValidator::Seen::whole_head) == (guard.has_whole_head() && !was_whole));
    if (guard.has_whole_head()) check_promises(guard);
  }
  return 0;
}
