#pragma once
// URIs (RFC 3986) as far as HTTP and HLS need them. Pure functions.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace tribune::http {

/// An absolute http or https URI. `path` begins with '/', `query` is without '?'; fragments are dropped.
struct Uri {
  std::string scheme;      // lower case
  std::string host;        // lower case; IPv6 literals in brackets
  std::uint16_t port = 0;  // the scheme's default when none is written
  std::string path;
  std::string query;
  bool empty_query = false;  // a '?' without a query after it

  /// scheme://host[:port], without the port when it is the default.
  std::string origin() const;
  std::string text() const;
  /// path[?query]
  std::string target() const;
};

/// Rejects other schemes, userinfo, empty hosts, control bytes and spaces, bad percent escapes, bad ports, over 8 KiB.
base::Result<Uri> parse_uri(std::string_view text);

/// Reference resolution (RFC 3986 section 5.2) with dot segments removed; rejects the same as parse_uri.
base::Result<Uri> resolve(const Uri& base, std::string_view reference);

/// The same for references in playlists and redirects, as players resolve them: path and query keep their bytes except
/// for dot segments. Only bytes that a request cannot contain are escaped: spaces, bytes outside ASCII, quotes and
/// angle brackets, a '%' that does not begin an escape. Errors: too_large above `max_bytes`; invalid_input for control
/// bytes, other schemes, user information and bad hosts.
inline constexpr std::size_t kMaxWrittenBytes = 64 * 1024;
base::Result<Uri> parse_as_written(std::string_view text, std::size_t max_bytes = kMaxWrittenBytes);
base::Result<Uri> resolve_as_written(const Uri& base, std::string_view reference,
                                     std::size_t max_bytes = kMaxWrittenBytes);

/// Whether the reference has a scheme of its own ("skd:…", "data:…", "https:…").
std::optional<std::string> scheme_of(std::string_view reference);

/// The one canonical form of a request path: escapes of unreserved characters decoded, others in upper-case hex.
/// Rejects (invalid_input) dot segments in any spelling, encoded '/' and '\\', NUL and control bytes, empty segments
/// ("//") and bytes that are not UTF-8 once decoded.
base::Result<std::string> canonical_path(std::string_view path);

/// Percent-decoding; nullopt for a malformed escape.
std::optional<std::string> percent_decode(std::string_view text);
/// Encodes all bytes except unreserved characters and those in `keep`.
std::string percent_encode(std::string_view text, std::string_view keep = "");

/// The raw (still encoded) value of a query key, the first one when repeated.
std::optional<std::string_view> query_value(std::string_view query, std::string_view key);
/// The decoded value.
std::optional<std::string> query_decoded(std::string_view query, std::string_view key);
/// The query without the keys for which `drop` returns true; the rest keeps its order and spelling.
std::string query_without(std::string_view query, bool (*drop)(std::string_view key));

/// A relative reference from the document at `from_path` to `to_path` (both absolute paths, no query).
std::string relative_reference(std::string_view from_path, std::string_view to_path);

}  // namespace tribune::http
