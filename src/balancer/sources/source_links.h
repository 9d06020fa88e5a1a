#pragma once
// The link that viewers get for each URI of a source playlist. A listed link keeps its text: the link of a segment is
// made when its MSN is first listed, and remembered while it is listed, whatever changes at the origin, in the key ring
// or in the clock.
//
//   playlist                 relative, to the same playlist at this balancer
//   segment, part, hint      at the node of its pin; relative to this balancer in the redirect mode
//   gap                      relative to this balancer, which responds with an empty body: a player that supports gaps
//                            does not request it, and other players continue after an empty segment
//   init section, key        relative to this balancer, which redirects: it does not depend on pins
//   lists, data, steering    relative to this balancer, which serves them (documents/), or absolute, at the origin
//   dates                    the absolute URI at the origin
//   data:, skd:, urn:        unchanged in keys, and data: in lists and data; other schemes make the playlist unusable
//
// With LinkUse::redirect the balancer alone accepts the references to segments, init sections and keys. Their targets
// are for nodes, which get them from the balancer; viewers do not see them.
//
// A segment, part, init section, key or playlist that is at none of the channel's origins makes the whole playlist
// unusable: no cache node would fetch it, and viewers would leave the event for a host that the operator did not name.
// The URIs of ads, dates, session data and steering manifests at other origins become absolute.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "balancer/timeline/timeline.h"
#include "base/result.h"
#include "base/signing.h"
#include "contracts/event.h"
#include "contracts/link.h"
#include "contracts/origin_path.h"
#include "hls/playlist.h"
#include "http/uri.h"

namespace tribune::balancer {

/// The link of one URI. Immutable.
struct SourceLink {
  std::string reference;           // relative or absolute
  std::string target;              // "/media/…" at a node, for what nodes serve; otherwise empty
  bool is_pinned = false;          // the pins determine the node
  bool is_within_session = false;  // relative to `/live/{channel}/~{session}/`
  contracts::LinkUse use = contracts::LinkUse::anywhere;  // of the reference
};
using SourceLinkPtr = std::shared_ptr<const SourceLink>;  // null: the URI is unchanged

/// A playlist that another one names.
struct NamedPlaylist {
  std::string path;   // after `~{session}/`
  std::string query;  // the origin's own, without the keys that have a meaning in this balancer's URLs
  http::Uri uri;
  hls::UriKind kind{};
  std::int64_t bandwidth_bps = 0;  // 0: not stated
  std::uint64_t attributes = 0;    // a hash of its tag's other attributes
  std::size_t use = 0;             // its index in Playlist::uris
};

/// The inputs of a channel's links that all its playlists share. Immutable.
struct LinkMaking {
  std::string channel;
  contracts::OriginSet origins;
  std::shared_ptr<const base::KeyRing> keys;
  bool serves_documents = true;  // otherwise their URIs are unchanged
  contracts::LinkUse use = contracts::LinkUse::anywhere;
};

/// The inputs of one playlist's links. The timeline is null for a multivariant playlist.
struct LinkPlace {
  std::string path;   // of the playlist, after `~{session}/`
  std::string track;  // its name in the timeline
  http::Uri base;     // the URL that it was fetched from
  const Timeline* timeline = nullptr;
  std::string epoch;  // for links outside segments
  std::int64_t expires = 0;
  base::WallTime now;
  hls::Limits limits = {};  // of a URI, and of the playlist with its links
};

/// The scheme of a URI, in lower case, if it is neither http nor https. Blanks and control bytes do not count: browsers
/// ignore them.
std::optional<std::string> other_scheme(std::string_view uri);

/// The path of a playlist after `~{session}/`: its origin path, which is moved when it collides with a path of the
/// balancer.
std::string playlist_path(const contracts::OriginPath&);
inline constexpr std::string_view kIndexPath = "index.m3u8";
/// The path of the media playlist of a source that has no multivariant playlist.
inline constexpr std::string_view kOnlyMediaPath = "~media.m3u8";

/// Segments that do not exist: `~gap/{msn}[-{part}]{suffix}`.
inline constexpr std::string_view kGapPath = "~gap/";

/// The links of one source playlist. Owned by one worker.
class SourceLinks {
 public:
  /// Checks a playlist before it changes any state. Errors: invalid_input, fault origin, with the line, for a URI at no
  /// known origin or with a scheme that is not allowed.
  static base::Status check(const hls::Playlist&, const contracts::OriginSet&, const http::Uri& base,
                            const hls::Limits& = {});

  /// The playlists that it names, in the order of the text.
  std::vector<NamedPlaylist> named(const hls::Playlist&, const LinkMaking&, const LinkPlace&);

  /// The links, one for each of Playlist::uris. `named` are the playlists that it names, with the paths and queries
  /// that viewers get. Errors: those of check(), too_large when the links exceed the limits, and internal when no key
  /// can sign.
  base::Result<std::vector<SourceLinkPtr>> link(const hls::Playlist&, const LinkMaking&, const LinkPlace&,
                                                const std::vector<NamedPlaylist>& named);

 private:
  struct Work;
  void note_base(const hls::Playlist&, const LinkPlace&);
  const http::Uri& base_of(const hls::UriUse&, const LinkPlace&) const;
  std::unordered_map<std::string, SourceLinkPtr> listed_;
  std::map<std::uint32_t, http::Uri> bases_;  // of the generations that are still listed
};

}  // namespace tribune::balancer
