#pragma once
// How an absolute URI at a channel's origin becomes a path in our URLs, and back. Nothing else can be named: a cache node
// fetches only from the channel's own origins (DESIGN, invariant 4). Pure functions.
//
//   under the directory of the source          →  the path relative to it        "720p/seg1.m4s"
//   elsewhere at the source's origin           →  "~0/" and its path             "~0/keys/a.bin"
//   at the channel's n-th extra origin (1 …)   →  "~n/" and its path             "~2/ads/ad1.m3u8"
//   at a backup of the source's origin         →  the same, numbered after the extra origins
//   a path that no front door lets through     →  "~nb/" and its base64url       "~0b/L2xpdmUvL2E"  for "/live//a"
//
// '~' is the one mark that no client rewrites on its way (RFC 3986 section 2.3: unreserved). Paths and queries are written
// in the one form that survives a browser and our front door, so each object has one name.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/uri.h"

namespace tribune::contracts {

/// A channel's origins as a cache node needs them; part of the channel map. Immutable.
struct OriginSet {
  std::string base;                       // "http://origin/live/demo/": the source's directory, ends with '/'
  std::vector<std::string> extra_origins; // "https://host"
  std::vector<std::string> backups = {};  // "https://host": hold what the base's origin holds, under the same paths
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

/// The absolute URI. Errors: invalid_input for an index out of range, a path that would leave the origin, or one that is not
/// written as to_origin_path() writes it.
base::Result<http::Uri> to_uri(const OriginSet&, std::string_view path, std::string_view query);

/// The same object at the source's own origin, for what lies at a backup; anything else as it is.
http::Uri at_first_origin(const OriginSet&, http::Uri);

/// The same object at each backup of its origin, in their order; none for what lies at an extra origin.
std::vector<http::Uri> backup_uris(const OriginSet&, const http::Uri&);

/// Every origin of the set ("http://host:port"), for the client's destination policy.
std::vector<std::string> allowed_origins(const OriginSet&);

/// The one spelling of a query: unreserved characters plain, all that a client might escape escaped in upper-case hex.
std::string canonical_query(std::string_view query);

}  // namespace tribune::contracts
