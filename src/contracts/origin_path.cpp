#include "contracts/origin_path.h"

#include <algorithm>
#include <charconv>

#include "base/encoding.h"
#include "contracts/canonical.h"

namespace tribune::contracts {
namespace {

constexpr char kMark = '~';
constexpr std::string_view kEncodedQuery = "~q=";

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_escape(std::string& out, char byte) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  const auto value = static_cast<unsigned char>(byte);
  out += '%';
  out += kHex[value >> 4];
  out += kHex[value & 15];
}

/// Returns the text with escapes of unreserved characters decoded, other escapes in upper case, and characters outside
/// `plain` escaped.
std::string respell(std::string_view text, std::string_view plain) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape =
        text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0;
    char c = text[i];
    if (escape) {
      c = static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    }
    if (is_unreserved(c) || (!escape && plain.find(c) != std::string_view::npos))
      out += c;
    else
      append_escape(out, c);
  }
  return out;
}

/// Characters that browsers do not escape in a path (RFC 3986 pchar) and in a query (without the apostrophe, which they
/// escape).
constexpr std::string_view kPlainInPath = "/!$&'()*+,;=:@";
constexpr std::string_view kPlainInQuery = "/?!$&()*+,;=:@";

/// `path` begins with '/'. nullopt when the server would reject it.
std::optional<std::string> canonical(std::string_view path) {
  auto found = http::canonical_path(respell(path, kPlainInPath));
  if (!found) return std::nullopt;
  return std::move(*found);
}

bool has_dot_segment(std::string_view path) {
  for (std::size_t begin = 0; begin <= path.size();) {
    const auto end = std::min(path.find('/', begin), path.size());
    const auto segment = respell(path.substr(begin, end - begin), "");
    if (segment == "." || segment == "..") return true;
    begin = end + 1;
  }
  return false;
}

std::string directory_of(std::string_view path) { return std::string(path.substr(0, path.rfind('/') + 1)); }

/// "~{index}/…" or "~{index}b/…"
struct Marked {
  std::size_t index = 0;
  bool encoded = false;
  std::string_view rest;
};

std::optional<Marked> parse_mark(std::string_view path) {
  const auto slash = path.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  auto number = path.substr(1, slash - 1);
  Marked marked{0, number.ends_with('b'), path.substr(slash + 1)};
  if (marked.encoded) number.remove_suffix(1);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), marked.index);
  if (error != std::errc{} || end != number.data() + number.size() || std::to_string(marked.index) != number)
    return std::nullopt;
  return marked;
}

std::string origin_of(std::string_view url) {
  const auto uri = http::parse_uri(url);
  return uri ? uri->origin() : std::string();
}

tl::unexpected<base::Error> refused(std::string text) {
  return base::failure(base::ErrorKind::invalid_input, base::Fault::client, std::move(text));
}

base::Result<std::string> origin_at(const OriginSet& set, std::size_t index) {
  const auto extras = set.extra_origins.size();
  if (index > extras + set.backups.size()) return refused("the channel has no such origin");
  auto origin = origin_of(index == 0        ? set.base
                          : index <= extras ? set.extra_origins[index - 1]
                                            : set.backups[index - extras - 1]);
  if (origin.empty()) return refused("the channel's origin is not a URL");
  return origin;
}

/// Whether a path or query of the origin arrives unchanged.
bool is_plain_path(std::string_view path) {
  const auto found = canonical(path);
  return found && *found == path && path != "/";
}
bool is_plain_query(std::string_view query) {
  return canonical_query(query) == query && !query.starts_with(kEncodedQuery);
}

/// ".ts": players use it.
std::string_view suffix_of(std::string_view path) {
  constexpr std::size_t kLongest = 5;
  const auto dot = path.find_last_of("./");
  if (dot == std::string_view::npos || path[dot] != '.' || path.size() - dot > kLongest + 1 || path.size() - dot < 2)
    return {};
  const auto suffix = path.substr(dot);
  return std::all_of(suffix.begin() + 1, suffix.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); })
             ? suffix
             : std::string_view{};
}

std::string encoded_path(std::string_view path) { return base::to_base64url(path).append(suffix_of(path)); }

std::string encoded_query(std::string_view query) {
  return is_plain_query(query) ? std::string(query) : std::string(kEncodedQuery) + base::to_base64url(query);
}

/// The path at the origin, beginning with '/'.
base::Result<std::string> unmark(const Marked& marked) {
  if (!marked.encoded) {
    auto path = "/" + std::string(marked.rest);
    if (!is_plain_path(path)) return refused("not a canonical path");
    return path;
  }
  auto path = base::from_base64url(marked.rest.substr(0, marked.rest.find('.')));
  const bool is_path =
      path && path->starts_with('/') && is_visible_ascii(*path) && path->find_first_of("?#") == std::string::npos;
  const bool is_written_so =
      is_path && (encoded_path(*path) == marked.rest || base::to_base64url(*path) == marked.rest);
  if (!is_written_so || is_plain_path(*path)) return refused("not an encoded path");
  if (has_dot_segment(*path)) return refused("the path contains a dot segment");
  return std::move(*path);
}

/// Links of former versions name the same object without the suffix after the encoded path.
bool is_former_spelling(std::string_view path, const OriginPath& named, std::string_view at_origin) {
  const auto marked = named.path.starts_with(kMark) ? parse_mark(named.path) : std::nullopt;
  return marked && marked->encoded && named.path == std::string(path).append(suffix_of(at_origin));
}

/// The same URI at another origin.
std::optional<http::Uri> moved_to(std::string_view origin, const http::Uri& uri) {
  auto moved = http::parse_uri(origin);
  if (!moved) return std::nullopt;
  moved->path = uri.path;
  moved->query = uri.query;
  moved->empty_query = uri.empty_query;
  return std::move(*moved);
}

}  // namespace

OriginSet origin_set(std::string_view source, const std::vector<std::string>& extra_origins) {
  OriginSet set;
  if (const auto uri = http::parse_uri(source)) {
    const auto path = canonical(uri->path);
    set.base = uri->origin() + directory_of(path ? *path : respell(uri->path, kPlainInPath));
  }
  for (const auto& origin : extra_origins) set.extra_origins.push_back(origin_of(origin));
  return set;
}

std::optional<OriginPath> to_origin_path(const OriginSet& set, const http::Uri& uri) {
  const auto origin = uri.origin();
  const auto base_origin = origin_of(set.base);
  std::size_t index = 0;
  if (base_origin.empty() || origin != base_origin) {
    const auto place_in = [&](const std::vector<std::string>& origins) {
      return static_cast<std::size_t>(std::find(origins.begin(), origins.end(), origin) - origins.begin());
    };
    const auto extra = place_in(set.extra_origins);
    const auto backup = place_in(set.backups);
    if (extra < set.extra_origins.size())
      index = 1 + extra;
    else if (backup < set.backups.size())
      index = 1 + set.extra_origins.size() + backup;
    else
      return std::nullopt;
  }

  const auto mark = kMark + std::to_string(index);
  OriginPath result{"", uri.empty_query ? std::string(kEncodedQuery) : encoded_query(uri.query)};
  if (!is_plain_path(uri.path)) {
    if (has_dot_segment(uri.path)) return std::nullopt;
    result.path = mark + "b/" + encoded_path(uri.path);
    return result;
  }
  const auto directory = std::string_view(set.base).substr(std::min(base_origin.size(), set.base.size()));
  const auto& path = uri.path;
  const auto under =
      index == 0 && path.starts_with(directory) && path.size() > directory.size() && path[directory.size()] != kMark;
  result.path = under ? path.substr(directory.size()) : mark + path;
  return result;
}

base::Result<http::Uri> to_uri(const OriginSet& set, std::string_view path, std::string_view query) {
  if (path.empty()) return refused("the path is empty");
  std::string origin, at_origin;
  if (path.front() == kMark) {
    const auto marked = parse_mark(path);
    if (!marked) return refused("not an origin path");
    auto found = origin_at(set, marked->index);
    if (!found) return tl::unexpected(found.error());
    auto unmarked = unmark(*marked);
    if (!unmarked) return tl::unexpected(unmarked.error());
    origin = std::move(*found);
    at_origin = std::move(*unmarked);
  } else {
    if (!is_plain_path("/" + std::string(path))) return refused("not a canonical path");
    origin = origin_of(set.base);
    if (origin.empty()) return refused("the channel's origin is not a URL");
    at_origin = set.base.substr(origin.size()) + std::string(path);
  }
  auto uri = http::parse_uri(origin);
  if (!uri) return uri;
  uri->path = std::move(at_origin);
  uri->query = written_query(query);
  uri->empty_query = query == kEncodedQuery;
  if (!is_visible_ascii(uri->query) || uri->query.find('#') != std::string::npos)
    return refused("not the query of a link");
  const auto again = to_origin_path(set, *uri);
  const bool is_same_path = again && (again->path == path || is_former_spelling(path, *again, uri->path));
  if (!is_same_path || again->query != query) return refused("not the canonical form of the path or query");
  return uri;
}

http::Uri at_first_origin(const OriginSet& set, http::Uri uri) {
  if (std::find(set.backups.begin(), set.backups.end(), uri.origin()) == set.backups.end()) return uri;
  auto moved = moved_to(origin_of(set.base), uri);
  return moved ? std::move(*moved) : uri;
}

std::vector<http::Uri> backup_uris(const OriginSet& set, const http::Uri& uri) {
  std::vector<http::Uri> uris;
  if (uri.origin() != origin_of(set.base)) return uris;
  for (const auto& backup : set.backups)
    if (auto at_backup = moved_to(backup, uri)) uris.push_back(std::move(*at_backup));
  return uris;
}

std::vector<http::Uri> same_file_uris(const OriginSet& set, const http::Uri& uri) {
  auto uris = backup_uris(set, uri);
  std::erase_if(uris, [&](const http::Uri& at_backup) {
    return std::find(set.distrusted.begin(), set.distrusted.end(), at_backup.origin()) != set.distrusted.end();
  });
  return uris;
}

std::vector<std::string> allowed_origins(const OriginSet& set) {
  std::vector<std::string> origins;
  if (auto origin = origin_of(set.base); !origin.empty()) origins.push_back(std::move(origin));
  for (const auto* further : {&set.extra_origins, &set.backups})
    for (const auto& other : *further)
      if (auto origin = origin_of(other); !origin.empty()) origins.push_back(std::move(origin));
  return origins;
}

std::string canonical_query(std::string_view query) { return respell(query, kPlainInQuery); }

std::string written_query(std::string_view query) {
  if (!query.starts_with(kEncodedQuery)) return std::string(query);
  auto written = base::from_base64url(query.substr(kEncodedQuery.size()));
  return written ? std::move(*written) : std::string(query);
}

}  // namespace tribune::contracts
