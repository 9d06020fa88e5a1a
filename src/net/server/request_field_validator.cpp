// RequestFramingValidator: the rules for the request line and for the fields that frame a message (RFC 9112 sections 3
// and 6).
#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/bytes.h"
#include "http/uri_bytes.h"
#include "net/server/request_framing_validator.h"

namespace tribune::net {
namespace {

bool equals_without_case(std::string_view text, std::string_view lower_case) {
  return text.size() == lower_case.size() && std::equal(text.begin(), text.end(), lower_case.begin(),
                                                        [](char a, char b) { return http::to_lower(a) == b; });
}

bool is_valid_port(std::string_view text) {
  if (text.empty() || text.size() > 5 || !std::all_of(text.begin(), text.end(), http::is_digit)) return false;
  int port = 0;
  for (const char c : text) port = port * 10 + (c - '0');
  return port <= 65'535;
}

bool is_valid_ipv6(std::string_view text) {
  char buffer[INET6_ADDRSTRLEN] = {};
  if (text.empty() || text.size() >= sizeof buffer) return false;
  std::memcpy(buffer, text.data(), text.size());
  in6_addr address;
  return ::inet_pton(AF_INET6, buffer, &address) == 1;
}

/// A registered name: unreserved, sub-delims and percent-encoded characters (RFC 3986 section 3.2.2).
bool is_valid_name(std::string_view name) {
  for (std::size_t at = 0; at < name.size(); ++at) {
    const char c = name[at];
    if (c == '%') {
      if (at + 2 >= name.size() || http::hex_value(name[at + 1]) < 0 || http::hex_value(name[at + 2]) < 0) return false;
      at += 2;
    } else if (!http::is_digit(c) && !(http::to_lower(c) >= 'a' && http::to_lower(c) <= 'z') &&
               std::string_view("-._~!$&'()*+,;=").find(c) == std::string_view::npos) {
      return false;
    }
  }
  return !name.empty();
}

/// The host of a valid authority, and its port.
std::pair<std::string_view, int> split_authority(std::string_view authority, int default_port) {
  const auto bracket = authority.rfind(']');
  const auto colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon == std::string_view::npos || colon + 1 == authority.size())
    return {authority.substr(0, colon), default_port};
  int port = 0;
  for (const char c : authority.substr(colon + 1)) port = port * 10 + (c - '0');
  return {authority.substr(0, colon), port};
}

/// RFC 9110 section 4.2.3: an empty port is equal to the default port of the scheme.
bool is_same_authority(std::string_view a, std::string_view b, int default_port) {
  const auto [host_a, port_a] = split_authority(a, default_port);
  const auto [host_b, port_b] = split_authority(b, default_port);
  return port_a == port_b && host_a.size() == host_b.size() &&
         std::equal(host_a.begin(), host_a.end(), host_b.begin(),
                    [](char x, char y) { return http::to_lower(x) == http::to_lower(y); });
}

}  // namespace

bool is_valid_authority(std::string_view text) {
  if (text.empty() || text.size() > 255) return false;
  std::string_view port;
  bool has_port = false;
  if (text.front() == '[') {
    const auto end = text.find(']');
    if (end == std::string_view::npos || !is_valid_ipv6(text.substr(1, end - 1))) return false;
    const auto rest = text.substr(end + 1);
    if (!rest.empty() && rest.front() != ':') return false;
    has_port = !rest.empty();
    if (has_port) port = rest.substr(1);
  } else {
    const auto colon = text.find(':');
    if (!is_valid_name(text.substr(0, colon))) return false;
    has_port = colon != std::string_view::npos;
    if (has_port) port = text.substr(colon + 1);
  }
  return !has_port || port.empty() || is_valid_port(port);  // "host:" has an empty port (RFC 3986 section 3.2.3)
}

bool RequestFramingValidator::end_method() {
  if (text_.empty()) return refuse(RejectReason::request_line_invalid);
  static constexpr std::array<std::string_view, 7> kKnown{"GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH"};
  // An unknown method is refused at the end of the head only, because the rest of the head may be malformed, which is
  // the more important reason.
  const bool known = std::find(kKnown.begin(), kKnown.end(), text_) != kKnown.end();
  const bool passes = limits_->any_method && text_ != "TRACE";
  if (!known && passes) other_method_ = text_;
  if (!known && !passes) refusal_ = RejectReason::method_unknown;
  if (text_ == "CONNECT") return refuse(RejectReason::method_unknown);  // its target has another form
  may_have_body_ = text_ != "HEAD";
  is_options_ = text_ == "OPTIONS";
  text_.clear();
  return go(State::target);
}

bool RequestFramingValidator::first_of_target(char c) {
  if (c == '/') {
    target_form_ = TargetForm::origin;
    return true;
  }
  if (c == '*' && is_options_) {
    target_form_ = TargetForm::asterisk;
    return true;
  }
  if (http::to_lower(c) != 'h') return refuse(RejectReason::target_invalid);
  target_form_ = TargetForm::scheme;
  text_ = 'h';
  return true;
}

bool RequestFramingValidator::end_target() {
  if (target_bytes_ == 0 || target_form_ == TargetForm::scheme) return refuse(RejectReason::target_invalid);
  if (target_form_ == TargetForm::authority || target_form_ == TargetForm::absolute_path)
    if (!is_valid_authority(authority_)) return refuse(RejectReason::target_invalid);
  text_.clear();
  return go(State::version);
}

bool RequestFramingValidator::end_version() {
  const std::string_view version = text_;
  if (version.size() != 8 || !version.starts_with("HTTP/") || !http::is_digit(version[5]) || version[6] != '.' ||
      !http::is_digit(version[7]))
    return refuse(RejectReason::version_invalid);
  if (version[5] != '1') return refuse(RejectReason::version_unsupported);
  is_http_1_0_ = version[7] == '0';
  text_.clear();
  return go(State::version_lf);
}

RequestFramingValidator::Field RequestFramingValidator::field_of_name() const {
  const std::string_view name(name_, std::min<std::size_t>(name_length_, kNameBytes));
  if (name_length_ > kNameBytes) return Field::other;
  if (name == "host") return Field::host;
  if (name == "content-length") return Field::length;
  if (name == "transfer-encoding") return Field::coding;
  if (name == "expect") return Field::expect;
  return Field::other;
}

bool RequestFramingValidator::end_field() {
  const auto value = base::trimmed(text_);
  switch (field_) {
    case Field::host: return end_host();
    case Field::length: return end_length();
    case Field::coding: return end_coding();
    case Field::expect: return equals_without_case(value, "100-continue") || refuse(RejectReason::expectation_unknown);
    case Field::other: break;
  }
  return true;
}

bool RequestFramingValidator::end_host() {
  if (has_host_) return refuse(RejectReason::host_repeated);
  has_host_ = true;
  host_ = base::trimmed(text_);
  return is_valid_authority(host_) || refuse(RejectReason::host_invalid);
}

bool RequestFramingValidator::end_length() {
  const auto digits = base::trimmed(text_);
  if (has_length_) return refuse(RejectReason::length_repeated);
  has_length_ = true;
  // A list of lengths is a repeated field in one line.
  if (digits.find(',') != std::string_view::npos) return refuse(RejectReason::length_repeated);
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), http::is_digit))
    return refuse(RejectReason::length_invalid);
  const auto significant = digits.substr(std::min(digits.find_first_not_of('0'), digits.size()));
  if (digits.size() > 32) return refuse(RejectReason::length_invalid);
  if (significant.size() > 18) return refuse(RejectReason::body_too_large);
  left_ = 0;
  for (const char c : significant) left_ = left_ * 10 + static_cast<std::uint64_t>(c - '0');
  return true;
}

bool RequestFramingValidator::end_coding() {
  const auto value = base::trimmed(text_);
  if (has_coding_) return refuse(RejectReason::coding_invalid);
  has_coding_ = true;
  if (equals_without_case(value, "chunked")) return true;
  // RFC 9112 section 6.1: 501 for a coding that is not implemented, but only when the framing itself is valid.
  const auto comma = value.rfind(',');
  const bool ends_in_chunked =
      comma != std::string_view::npos && equals_without_case(base::trimmed(value.substr(comma + 1)), "chunked");
  if (!ends_in_chunked) return refuse(RejectReason::coding_invalid);
  for (std::string_view rest = value.substr(0, comma);;) {
    const auto next = rest.find(',');
    const auto coding = base::trimmed(rest.substr(0, next));
    if (coding.empty() || equals_without_case(coding, "chunked")) return refuse(RejectReason::coding_invalid);
    if (next == std::string_view::npos) break;
    rest.remove_prefix(next + 1);
  }
  return refuse(RejectReason::coding_unknown);
}

bool RequestFramingValidator::end_head() {
  if (refusal_ != RejectReason::none) return refuse(refusal_);
  if (!has_host_ && !is_http_1_0_) return refuse(RejectReason::host_missing);
  if (!authority_.empty() && has_host_ && !is_same_authority(authority_, host_, is_https_target_ ? 443 : 80))
    return refuse(RejectReason::foreign_authority);
  if (!authority_.empty() && !has_host_) return refuse(RejectReason::host_missing);
  if (has_coding_ && has_length_) return refuse(RejectReason::length_with_coding);
  if (has_coding_ && is_http_1_0_) return refuse(RejectReason::coding_in_http_1_0);
  if ((has_coding_ || left_ > 0) && !may_have_body_) return refuse(RejectReason::body_not_allowed);
  if (!has_coding_ && left_ > limits_->max_body_bytes) return refuse(RejectReason::body_too_large);
  text_.clear();
  if (!has_coding_) return go(left_ == 0 ? State::complete : State::body);
  left_ = 0;
  return go(State::chunk_size);
}

}  // namespace tribune::net
