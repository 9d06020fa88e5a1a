#pragma once
// How an absolute URI at a channel's origin becomes a path in our URLs, and back. Nothing else can be named: a cache
// node fetches only from the channel's own origins (DESIGN, invariant 4). Pure functions.
//
//   under the directory of the source          →  the path relative to it        "720p/seg1.m4s"
//   elsewhere at the source's origin           →  "~0/" and its path             "~0/keys/a.bin"
//   at the channel's n-th extra origin (1 …)   →  "~n/" and its path             "~2/ads/ad1.m3u8"
//   at a backup of the source's origin         →  the same, numbered after the extra origins
//   a path that does not arrive as it is        →  "~nb/" and its base64url       "~0b/L2xpdmUvL2EudHM.ts"  for
//   "/live//a.ts" a query that does not arrive as it is       →  "~q=" and its base64url        "~q=YT0lMmY"  for
//   "a=%2f", "~q=" for an empty one
//
// '~' is the one mark that no client rewrites on its way (RFC 3986 section 2.3: unreserved). What a browser, a library
// or our front door would spell differently is encoded, with the suffix of the file after it, so that each object has
// one name and the origin gets the bytes that it signed.

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
  std::vector<std::string> backups = {};   // "https://host": hold what the base's origin holds, under the same paths
  bool operator==(const OriginSet&) const = default;
};

/// `source` was checked to be an http(s) URL; the set of anything else names nothing.
OriginSet origin_set(std::string_view source, const std::vector<std::string>& extra_origins);

/// An origin path and the origin's own query.
struct OriginPath {
  std::string path;
  std::string query;
  bool operator==(const OriginPath&) const = default;
};

/// Nothing when the URI lies at none of the origins.
std::optional<OriginPath> to_origin_path(const OriginSet&, const http::Uri&);

/// The absolute URI. Errors: invalid_input for an index out of range, a path that would leave the origin, or one that
/// is not written as to_origin_path() writes it.
base::Result<http::Uri> to_uri(const OriginSet&, std::string_view path, std::string_view query);

/// The same object at the source's own origin, for what lies at a backup; anything else as it is.
http::Uri at_first_origin(const OriginSet&, http::Uri);

/// The same object at each backup of its origin, in their order; none for what lies at an extra origin.
std::vector<http::Uri> backup_uris(const OriginSet&, const http::Uri&);

/// Every origin of the set ("http://host:port"), for the client's destination policy.
std::vector<std::string> allowed_origins(const OriginSet&);

/// The origin's own bytes of an OriginPath's query; the text as it is when it is not encoded.
std::string written_query(std::string_view query);

/// The one spelling of a query: unreserved characters plain, all that a client might escape escaped in upper-case hex.
std::string canonical_query(std::string_view query);

}  // namespace tribune::contracts
