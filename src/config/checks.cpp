// Checks that several sections share. Each returns the allowed values, or an empty text when the text is valid.

#include <charconv>
#include <optional>

#include "base/ip_address.h"
#include "config/section.h"

namespace tribune::config {
namespace {

bool is_ipv6(std::string_view text) { return text.find(':') != std::string_view::npos && base::parse_ip(text); }
bool is_ipv4(std::string_view text) { return text.find(':') == std::string_view::npos && base::parse_ip(text); }

std::optional<unsigned> whole_number(std::string_view text, unsigned most) {
  unsigned number = 0;
  const auto* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (text.empty() || error != std::errc{} || rest != end || number > most) return std::nullopt;
  return number;
}

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_host_character(char c) {
  return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_';
}

/// host, host:port, [v6] or [v6]:port
bool is_authority(std::string_view text) {
  std::string_view rest;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos || !is_ipv6(text.substr(1, close - 1))) return false;
    rest = text.substr(close + 1);
  } else {
    std::size_t end = 0;
    while (end < text.size() && is_host_character(text[end])) ++end;
    if (end == 0) return false;
    rest = text.substr(end);
  }
  if (rest.empty()) return true;
  if (!rest.starts_with(':')) return false;
  const auto port = whole_number(rest.substr(1), 65535);
  return port && *port != 0;
}

/// The text after "http://" or "https://".
std::optional<std::string_view> after_scheme(std::string_view text) {
  for (const std::string_view scheme : {"http://", "https://"})
    if (text.starts_with(scheme)) return text.substr(scheme.size());
  return std::nullopt;
}

bool is_visible_ascii(std::string_view text) {
  for (const char c : text)
    if (c <= ' ' || c > '~' || c == '"' || c == '<' || c == '>' || c == '\\') return false;
  return true;
}

/// The host of the text after the scheme, an IPv6 address without its brackets.
std::string_view host_of(std::string_view text) {
  if (text.starts_with('[')) return text.substr(1, text.find(']') - 1);
  return text.substr(0, text.find_first_of(":/?"));
}

bool is_loopback_host(std::string_view host) {
  static const auto ipv4 = base::parse_ip_prefix("127.0.0.0/8");
  static const auto ipv6 = base::parse_ip_prefix("::1");
  const auto address = base::parse_ip(host);
  return host == "localhost" || (address && (ipv4->contains(*address) || ipv6->contains(*address)));
}

}  // namespace

std::string check_listen_address(const std::string& text) {
  const std::string allowed =
      "an address and a port: \"0.0.0.0:8080\", \"127.0.0.1:8080\" or \"[::1]:8080\", port 0 selects a free port";
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || !whole_number(std::string_view(text).substr(colon + 1), 65535)) return allowed;
  const auto host = std::string_view(text).substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    return is_ipv6(host.substr(1, host.size() - 2)) ? "" : allowed;
  return is_ipv4(host) ? "" : allowed;
}

std::string check_http_url(const std::string& text) {
  const std::string allowed =
      "an absolute http or https URL without a user name and a fragment: \"http://host:port/path\"";
  const auto rest = after_scheme(text);
  if (!rest || !is_visible_ascii(*rest) || rest->find('#') != std::string_view::npos) return allowed;
  return is_authority(rest->substr(0, rest->find_first_of("/?"))) ? "" : allowed;
}

std::string check_private_url(const std::string& text) {
  const std::string allowed =
      "an https URL without a user name and a fragment: \"https://host/path\"; http only to localhost and to loopback "
      "addresses: \"http://127.0.0.1:8080/path\"";
  if (!check_http_url(text).empty()) return allowed;
  return text.starts_with("https://") || is_loopback_host(host_of(*after_scheme(text))) ? "" : allowed;
}

std::string check_http_origin(const std::string& text) {
  const auto rest = after_scheme(text);
  if (!rest || !is_authority(*rest))
    return "scheme, host and port without a path: \"https://host\" or \"http://host:8080\"";
  return "";
}

std::string check_http_base(const std::string& text) {
  const std::string allowed =
      "scheme, host, port and optionally a path: \"https://host\" or \"https://host/nodes/stadium\"";
  const auto rest = after_scheme(text);
  if (!rest || !is_visible_ascii(*rest) || rest->find_first_of("#?%") != std::string_view::npos) return allowed;
  const auto slash = rest->find('/');
  if (!is_authority(rest->substr(0, slash))) return allowed;
  if (slash == std::string_view::npos) return "";
  const auto path = rest->substr(slash);
  const bool is_plain = path.find("//") == std::string_view::npos && path.find("/.") == std::string_view::npos &&
                        path.find(';') == std::string_view::npos;
  return is_plain && !path.ends_with('/') ? "" : allowed;
}

std::string check_prefix(const std::string& text) {
  const std::string allowed = "an IP address or an address prefix: \"10.0.0.0/8\", \"192.0.2.7\", \"fd00::/8\"";
  return base::parse_ip_prefix(text) ? "" : allowed;
}

std::string check_id(const std::string& text) {
  const std::string allowed = "1 to 64 of a-z 0-9 . _ - beginning with a letter or digit";
  if (text.empty() || text.size() > 64 || !is_lower_or_digit(text.front())) return allowed;
  for (const char c : text)
    if (!is_lower_or_digit(c) && c != '.' && c != '_' && c != '-') return allowed;
  return "";
}

std::string check_not_empty(const std::string& text) { return text.empty() ? "text that is not empty" : ""; }

}  // namespace tribune::config
