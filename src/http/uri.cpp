#include "http/uri.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "http/uri_bytes.h"

namespace tribune::http {
namespace {

constexpr std::size_t kMaxBytes = 8 * 1024;

auto invalid_uri(std::string_view why) {
  return base::failure(base::ErrorKind::invalid_input, base::Fault::origin, std::string(why));
}

std::uint16_t default_port(std::string_view scheme) { return scheme == "https" ? 443 : 80; }

/// The five parts of RFC 3986 appendix B; nullopt is absent, which differs from empty.
struct UriParts {
  std::optional<std::string> scheme;
  std::optional<std::string_view> authority;
  std::string_view path;
  std::optional<std::string_view> query;
};

UriParts split(std::string_view text) {
  UriParts parts;
  text = text.substr(0, text.find('#'));
  if ((parts.scheme = scheme_of(text))) text.remove_prefix(parts.scheme->size() + 1);
  if (text.starts_with("//")) {
    text.remove_prefix(2);
    const auto end = std::min(text.find_first_of("/?"), text.size());
    parts.authority = text.substr(0, end);
    text.remove_prefix(end);
  }
  if (const auto mark = text.find('?'); mark != std::string_view::npos) {
    parts.query = text.substr(mark + 1);
    text = text.substr(0, mark);
  }
  parts.path = text;
  return parts;
}

/// The reason why the text is not a reference, or nullopt.
std::optional<std::string_view> flaw_of_uri(std::string_view text) {
  if (text.size() > kMaxBytes) return "the URI is longer than 8 KiB";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (is_control(c)) return "the URI contains a control character";
    if (c == ' ') return "the URI contains a space";
    if (c == '%' && !escaped_byte(text, i)) return "the URI contains a malformed percent encoding";
  }
  return std::nullopt;
}

/// Bytes that RFC 3986 requires to be escaped, and that are often written unescaped: UTF-8, braces, quotes.
std::string escape_foreign(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (is_pchar(c) || c == '/' || c == '?' || c == '%') {
      out += c;
    } else {
      append_escaped(out, c);
    }
  }
  return out;
}

/// Section 5.2.4; "%2e" counts as a dot, as in browsers.
std::string without_dot_segments(std::string_view path) {
  std::vector<std::string_view> kept;
  bool ends_open = false;
  path.remove_prefix(1);
  while (true) {
    const auto slash = path.find('/');
    const auto segment = path.substr(0, slash);
    const auto dots = dots_of(segment);
    if (dots == 2 && !kept.empty()) kept.pop_back();
    if (dots == 0) kept.push_back(segment);
    ends_open = dots != 0;
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  std::string out;
  for (const auto segment : kept) out.append(1, '/').append(segment);
  if (ends_open || kept.empty()) out += '/';
  return out;
}

base::Result<std::string> canonical_host(std::string_view host) {
  if (host.empty()) return invalid_uri("the URI has no host");
  if (host.front() == '[') {
    if (host.back() != ']') return invalid_uri("the IPv6 address of the URI has no closing bracket");
    const std::string inside(host.substr(1, host.size() - 2));
    in6_addr address{};
    if (inet_pton(AF_INET6, inside.c_str(), &address) != 1)
      return invalid_uri("the IPv6 address of the URI is malformed");
    std::array<char, INET6_ADDRSTRLEN> text{};
    inet_ntop(AF_INET6, &address, text.data(), text.size());
    return '[' + std::string(text.data()) + ']';
  }
  if (host.size() > 253) return invalid_uri("the host name of the URI is too long");
  std::string lower;
  for (const char c : host) {
    if (!is_alpha(c) && !is_digit(c) && c != '-' && c != '.' && c != '_')
      return invalid_uri("the host of the URI contains an invalid character");
    lower += to_lower(c);
  }
  return lower;
}

base::Result<std::uint16_t> port_of(std::string_view digits, std::string_view scheme) {
  if (digits.empty()) return default_port(scheme);
  if (digits.size() > 5 || !std::all_of(digits.begin(), digits.end(), is_digit))
    return invalid_uri("the port of the URI is not a number");
  const int port = std::stoi(std::string(digits));
  if (port < 1 || port > 65535) return invalid_uri("the port of the URI is out of range");
  return static_cast<std::uint16_t>(port);
}

base::Status read_authority(std::string_view authority, Uri& uri) {
  if (authority.find('@') != std::string_view::npos) return invalid_uri("the URI contains user information");
  auto host = authority;
  std::string_view digits;
  const auto bracket = authority.find(']');
  const auto colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) {
    host = authority.substr(0, colon);
    digits = authority.substr(colon + 1);
  }
  auto canonical = canonical_host(host);
  if (!canonical) return tl::unexpected(canonical.error());
  auto port = port_of(digits, uri.scheme);
  if (!port) return tl::unexpected(port.error());
  uri.host = std::move(*canonical);
  uri.port = *port;
  return {};
}

auto too_long(std::size_t max_bytes) {
  return base::failure(base::ErrorKind::too_large, base::Fault::origin,
                       "the URI is longer than " + std::to_string(max_bytes) + " bytes");
}

/// The spelling of path and query, and the bound on the length.
struct Spelling {
  std::string (*path)(std::string_view);
  std::string (*query)(std::string_view);
  std::size_t max_bytes;
};
constexpr Spelling kCanonical{escape_foreign, escape_foreign, kMaxBytes};

std::string escape_where(std::string_view text, std::string_view characters) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool is_foreign = static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f ||
                            characters.find(c) != std::string_view::npos;
    if (is_foreign || (c == '%' && !escaped_byte(text, i)))
      append_escaped(out, c);
    else
      out += c;
  }
  return out;
}

/// The percent-encode sets of the WHATWG's URL standard, plus the backslash in the path, which only browsers treat as a
/// slash, and minus the apostrophe in the query, which only browsers escape.
std::string escape_written_path(std::string_view path) { return escape_where(path, "\"<>`{}\\"); }
std::string escape_written_query(std::string_view query) { return escape_where(query, "\"<>"); }
constexpr Spelling as_written(std::size_t max_bytes) { return {escape_written_path, escape_written_query, max_bytes}; }

/// The last step of both ways to a URI.
base::Result<Uri> finish(Uri uri, std::string_view path, std::optional<std::string_view> query,
                         const Spelling& spelling) {
  uri.path = path.empty() ? "/" : without_dot_segments(spelling.path(path));
  uri.query = spelling.query(query.value_or(""));
  uri.empty_query = query && query->empty();
  if (uri.text().size() > spelling.max_bytes) return too_long(spelling.max_bytes);
  return uri;
}

base::Result<Uri> from_absolute(const UriParts& parts, const Spelling& spelling) {
  Uri uri;
  uri.scheme = *parts.scheme;
  if (uri.scheme != "http" && uri.scheme != "https")
    return invalid_uri("the scheme of the URI is neither http nor https");
  if (!parts.authority) return invalid_uri("the URI has no host");
  if (const auto read = read_authority(*parts.authority, uri); !read) return tl::unexpected(read.error());
  return finish(std::move(uri), parts.path, parts.query, spelling);
}

base::Result<Uri> parse_with(std::string_view text, const Spelling& spelling) {
  const auto parts = split(text);
  if (!parts.scheme) return invalid_uri("the URI has no scheme");
  return from_absolute(parts, spelling);
}

base::Result<Uri> resolve_with(const Uri& base, std::string_view reference, const Spelling& spelling) {
  auto parts = split(reference);
  if (parts.scheme) return from_absolute(parts, spelling);
  if (parts.authority) {
    parts.scheme = base.scheme;
    return from_absolute(parts, spelling);
  }
  Uri uri{base.scheme, base.host, base.port, {}, {}};
  const bool base_has_query = !base.query.empty() || base.empty_query;
  if (parts.path.empty())
    return finish(std::move(uri), base.path,
                  !parts.query && base_has_query ? std::optional<std::string_view>(base.query) : parts.query, spelling);
  if (parts.path.starts_with('/')) return finish(std::move(uri), parts.path, parts.query, spelling);
  const auto merged = base.path.substr(0, base.path.rfind('/') + 1) + std::string(parts.path);
  return finish(std::move(uri), merged, parts.query, spelling);
}

base::Status check_written(std::string_view text, std::size_t max_bytes) {
  if (text.size() > max_bytes) return too_long(max_bytes);
  if (std::any_of(text.begin(), text.end(), is_control)) return invalid_uri("the URI contains a control character");
  return {};
}

}  // namespace

std::string Uri::origin() const {
  std::string text = scheme + "://" + host;
  if (port != default_port(scheme)) text += ':' + std::to_string(port);
  return text;
}

std::string Uri::target() const { return query.empty() && !empty_query ? path : path + '?' + query; }

std::string Uri::text() const { return origin() + target(); }

std::optional<std::string> scheme_of(std::string_view reference) {
  const auto colon = reference.find_first_of(":/?#");
  if (colon == std::string_view::npos || colon == 0 || reference[colon] != ':' || !is_alpha(reference[0]))
    return std::nullopt;
  std::string scheme;
  for (const char c : reference.substr(0, colon)) {
    if (!is_alpha(c) && !is_digit(c) && c != '+' && c != '-' && c != '.') return std::nullopt;
    scheme += to_lower(c);
  }
  return scheme;
}

base::Result<Uri> parse_uri(std::string_view text) {
  if (const auto flaw = flaw_of_uri(text)) return invalid_uri(*flaw);
  return parse_with(text, kCanonical);
}

base::Result<Uri> resolve(const Uri& base, std::string_view reference) {
  if (const auto flaw = flaw_of_uri(reference)) return invalid_uri(*flaw);
  return resolve_with(base, reference, kCanonical);
}

base::Result<Uri> parse_as_written(std::string_view text, std::size_t max_bytes) {
  if (auto fine = check_written(text, max_bytes); !fine) return tl::unexpected(fine.error());
  return parse_with(text, as_written(max_bytes));
}

base::Result<Uri> resolve_as_written(const Uri& base, std::string_view reference, std::size_t max_bytes) {
  if (auto fine = check_written(reference, max_bytes); !fine) return tl::unexpected(fine.error());
  return resolve_with(base, reference, as_written(max_bytes));
}

std::string relative_reference(std::string_view from_path, std::string_view to_path) {
  // The common directories of both, up to and including their last slash.
  std::size_t shared = 0;
  for (std::size_t i = 0; i < from_path.size() && i < to_path.size() && from_path[i] == to_path[i]; ++i) {
    if (from_path[i] == '/') shared = i + 1;
  }
  std::string out;
  for (const char c : from_path.substr(shared)) {
    if (c == '/') out += "../";
  }
  const auto rest = to_path.substr(shared);
  // A first segment with a colon would read as a scheme, an empty one as an absolute path or as "this document".
  if (out.empty() &&
      (rest.empty() || rest.front() == '/' || rest.substr(0, rest.find('/')).find(':') != std::string_view::npos))
    out = "./";
  return out.append(rest);
}

}  // namespace tribune::http
