#include "net/client/response_framing_validator.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/bytes.h"
#include "http/uri_bytes.h"

namespace tribune::net {
namespace {

auto broken(std::string_view why) {
  return base::failure(base::ErrorKind::protocol, base::Fault::origin, std::string(why));
}

bool is_token_byte(char c) {
  return http::is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}

bool is_forbidden_in_value(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }

/// 1 to 19 digits that fit a file offset.
std::optional<std::uint64_t> length_of(std::string_view digits) {
  if (digits.empty() || digits.size() > 19 || !std::all_of(digits.begin(), digits.end(), http::is_digit))
    return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : digits) value = value * 10 + static_cast<std::uint64_t>(c - '0');
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
  return value;
}

}  // namespace

base::Result<ResponseFramingValidator::Seen> ResponseFramingValidator::line(std::string_view raw) {
  bytes_ += raw.size();
  if (bytes_ > kMaxHeadBytes) return broken("the response head exceeds 64 KiB");
  if (!raw.ends_with('\n')) return broken("the response head was truncated");
  raw.remove_suffix(1);
  if (raw.ends_with('\r')) raw.remove_suffix(1);
  if (std::any_of(raw.begin(), raw.end(), is_forbidden_in_value))
    return broken("the response head contains a control character");

  if (state_ == State::status) {
    if (auto ok = status_line(raw); !ok) return tl::unexpected(std::move(ok.error()));
    state_ = State::fields;
    return Seen::more;
  }
  if (raw.empty()) return end_of_head();
  if (auto ok = field_line(raw); !ok) return tl::unexpected(std::move(ok.error()));
  return Seen::more;
}

base::Status ResponseFramingValidator::status_line(std::string_view line) {
  if (line.starts_with("HTTP/1.1 ")) {
    version_ = Version::http11;
    line.remove_prefix(9);
  } else if (line.starts_with("HTTP/1.0 ")) {
    version_ = Version::http10;
    line.remove_prefix(9);
  } else if (line.starts_with("HTTP/2 ")) {
    if (!over_http2_) return broken("the response has version HTTP/2 on an HTTP/1 connection");
    version_ = Version::http2;
    line.remove_prefix(7);
  } else {
    return broken("the response does not begin with a status line of HTTP/1 or HTTP/2");
  }
  const bool has_three_digits = line.size() >= 3 && std::all_of(line.begin(), line.begin() + 3, http::is_digit);
  if (!has_three_digits || (line.size() > 3 && line[3] != ' '))
    return broken("the response status is not a three-digit number");
  status_ = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
  if (status_ < 100 || status_ > 599) return broken("the response status is outside 100 to 599");
  if (status_ == 101) return broken("the response switches to a protocol that was not requested");
  return {};
}

base::Status ResponseFramingValidator::field_line(std::string_view line) {
  if (line.size() > kMaxFieldBytes) return broken("a header field of the response exceeds 16 KiB");
  if (++fields_ > kMaxFields) return broken("the response has more than 200 header fields");
  if (line.front() == ' ' || line.front() == '\t')
    return broken("a header field of the response uses obsolete line folding");
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return broken("a header field of the response has no colon");
  const auto name = line.substr(0, colon);
  if (name.empty() || !std::all_of(name.begin(), name.end(), is_token_byte))
    return broken("a header field of the response has an invalid name");
  if (state_ == State::complete) return {};
  const auto value = base::trimmed(line.substr(colon + 1));
  if (auto ok = framing_field(name, value); !ok) return ok;
  headers_.add(name, value);
  return {};
}

base::Status ResponseFramingValidator::framing_field(std::string_view name, std::string_view value) {
  if (http::equals_ignoring_case(name, "Content-Length")) {
    if (content_length_) return broken("the response has more than one Content-Length");
    content_length_ = length_of(value);
    if (!content_length_) return broken("the Content-Length of the response is not a decimal number");
  } else if (http::equals_ignoring_case(name, "Transfer-Encoding")) {
    if (is_chunked_) return broken("the response has more than one Transfer-Encoding");
    if (!http::equals_ignoring_case(value, "chunked"))
      return broken("the response has a transfer coding that was not requested");
    if (version_ != Version::http11)
      return broken("the response has a Transfer-Encoding, which its HTTP version does not support");
    is_chunked_ = true;
  }
  if (content_length_ && is_chunked_) return broken("the response has both Content-Length and Transfer-Encoding");
  return {};
}

base::Result<ResponseFramingValidator::Seen> ResponseFramingValidator::end_of_head() {
  if (state_ == State::complete) return Seen::more;
  if (status_ >= 200) {
    state_ = State::complete;
    return Seen::whole_head;
  }
  if (++interim_heads_ > kMaxInterimHeads) return broken("the response has more than 8 interim responses");
  state_ = State::status;
  interim_status_ = status_;
  interim_fields_ = std::exchange(headers_, {});
  content_length_.reset();
  is_chunked_ = false;
  return Seen::interim_head;
}

bool ResponseFramingValidator::has_body() const {
  return method_ != http::Method::head && status_ != 204 && status_ != 304;
}

bool ResponseFramingValidator::ends_with_connection() const {
  return has_body() && is_http1() && !is_chunked_ && !content_length_;
}

}  // namespace tribune::net
