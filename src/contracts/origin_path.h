#pragma once
// Maps absolute URIs at a channel's origins to paths in Tribune's URLs, and back. Other URIs have no path: a cache node
// fetches only from the channel's own origins. Pure functions.
//
//   under the directory of the source          →  the path relative to it      "720p/seg1.m4s"
//   elsewhere at the source's origin           →  "~0/" and its path           "~0/keys/a.bin"
//   at the channel's n-th extra origin (1 …)   →  "~n/" and its path           "~2/ads/ad1.m3u8"
//   at a backup of the source's origin         →  the same, numbered after the extra origins
//   a path that would not arrive unchanged     →  "~nb/" and its base64url     "/live//a.ts": "~0b/L2xpdmUvL2EudHM.ts"
//   a query that would not arrive unchanged    →  "~q=" and its base64url      "a=%2f": "~q=YT0lMmY"; empty: "~q="
//
// '~' is used because clients do not rewrite it (RFC 3986 section 2.3: unreserved). Text that a browser, a library or
// the server would respell is encoded, with the file's suffix after it, so that each object has one name and the origin
// receives the bytes that it signed.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/uri.h"

namespace tribune::contracts {

/// A channel's origins as a cache node needs them; part of the channel map. Immutable.
struct OriginSet {
  std::string base;                        // "http://origin/live/demo/": the source's directory, ends with '/'
  std::vector<std::string> extra_origins;  // "https://host"
  std::vector<std::string> backups =
      {};  // "https://host": with the same content as the origin of `base`, under the same paths
  std::vector<std::string> distrusted = {};  // those of `backups` whose playlists show that they have other files
  bool operator==(const OriginSet&) const = default;
};

/// `source` must be an http(s) URL; the set of any other text is empty.
OriginSet origin_set(std::string_view source, const std::vector<std::string>& extra_origins);

/// An origin path and the origin's own query.
struct OriginPath {
  std::string path;
  std::string query;
  bool operator==(const OriginPath&) const = default;
};

/// nullopt when the URI is at none of the origins.
std::optional<OriginPath> to_origin_path(const OriginSet&, const http::Uri&);

/// The absolute URI. Errors: invalid_input for an index out of range, a path that would leave the origin, or one that
/// to_origin_path() would write differently.
base::Result<http::Uri> to_uri(const OriginSet&, std::string_view path, std::string_view query);

/// The same object at the source's own origin for an object at a backup; others unchanged.
http::Uri at_first_origin(const OriginSet&, http::Uri);

/// The URI at each backup of its origin, in order; empty for a URI at an extra origin.
std::vector<http::Uri> backup_uris(const OriginSet&, const http::Uri&);

/// The same object at each backup that is not distrusted, in order.
std::vector<http::Uri> same_file_uris(const OriginSet&, const http::Uri&);

/// Every origin of the set ("http://host:port"), for the client's destination policy.
std::vector<std::string> allowed_origins(const OriginSet&);

/// The bytes of an OriginPath's query at the origin; the text itself when it is not encoded.
std::string written_query(std::string_view query);

/// The canonical spelling of a query: unreserved characters plain, all characters that clients may escape in upper-case
/// hex.
std::string canonical_query(std::string_view query);

}  // namespace tribune::contracts
