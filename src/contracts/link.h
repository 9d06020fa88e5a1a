#pragma once
// A link: a segment URL that a cache node verifies by itself. Values and pure
// functions.
//
//   http://NODE/media/{channel}/{epoch}/{path}?[{origin query}&]tl={epoch}.[{use}]{expires}[-{pace}].{key id}.{mac}
//
// `path` is an origin path (origin_path.h). The MAC covers channel, epoch, path, origin query, use, expiry and pace,
// and every part has exactly one spelling, so that every changed bit is rejected. The same path and query, relative to
// the balancer's playlist, form a redirect link.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/signing.h"

namespace tribune::contracts {

/// Who accepts a link, and for how long.
enum class LinkUse {
  anywhere,   // nodes and the balancer, to its expiry and while a playlist lists it
  redirect,   // "r": only the balancer, which checks the session: a playlist of a paid channel lists it
  momentary,  // "m": nodes, to its expiry: a redirect of a paid channel leads to it
};

struct Link {
  std::string channel;
  std::string epoch;           // 1 to 16 of a-z 0-9
  std::string path;            // origin path, percent-encoded, without leading '/'
  std::string origin_query;    // the origin's own query as origin_path.h spells it; "" when there is none
  std::int64_t expires = 0;    // unix seconds
  std::int64_t pace_kbps = 0;  // maximum rate to a viewer in kbit/s; 0: not limited by the link
  LinkUse use = LinkUse::anywhere;
  bool operator==(const Link&) const = default;
};

inline constexpr std::string_view kLinkKey = "tl";

/// "[{origin query}&]tl=…": the query of the link. Empty when the ring cannot sign, or for a link that cannot be
/// written (an epoch or path of other characters). To reproduce a listed link, store this query: another key signs
/// differently.
std::string signed_query(const base::KeyRing&, const Link&, base::WallTime now);

/// "/media/{channel}/{epoch}/{path}?{signed query}"
std::string media_target(const Link&, std::string_view signed_query);

/// The link of a request's path and query. `listed_from`: playlists still list links whose expiry, in Unix seconds, is
/// not before it, so these are accepted after their expiry, unless they are momentary; nullopt: none. Errors: kind
/// forbidden for anything forged, damaged or of another channel; kind timeout when the link is valid except that it
/// expired more than `skew` ago. Query keys after the signature (CMCD and the like) are dropped; they are not part of
/// the link.
base::Result<Link> verify_link(const base::KeyRing&, std::string_view channel, std::string_view path,
                               std::string_view query, base::WallTime now, std::chrono::milliseconds skew,
                               std::optional<std::int64_t> listed_from = std::nullopt);

/// As above, for a path of a cache node, which contains the epoch: it must be the signed one. A link with
/// LinkUse::redirect is refused with kind forbidden.
base::Result<Link> verify_media_link(const base::KeyRing&, std::string_view channel, std::string_view epoch,
                                     std::string_view path, std::string_view query, base::WallTime now,
                                     std::chrono::milliseconds skew,
                                     std::optional<std::int64_t> listed_from = std::nullopt);

/// What a player added to a link's query, such as CMCD: "" or "&…". The query must have a link's signature.
std::string_view added_query(std::string_view query);

/// Whether a query has a link's signature, by which the balancer distinguishes segments from playlists.
bool has_link(std::string_view query);

/// The expiry of a link that is first listed at `now`: `lifetime` later, rounded up to a whole `lifetime`, so that
/// every balancer, and the same one after a restart, writes the same text.
std::int64_t link_expiry(base::WallTime now, std::chrono::milliseconds lifetime);

}  // namespace tribune::contracts
