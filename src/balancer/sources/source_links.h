#pragma once
// What each URI of a source playlist becomes for viewers. What was listed once keeps its text: a segment's link is made
// when its MSN is first listed and remembered while it stays, whatever the origin, the key ring or the clock do
// meanwhile.
//
//   a playlist                    relative, to the same playlist at this balancer
//   a segment, a part, a hint     the node of its pin; relative to this balancer in the redirect mode
//   a gap                         relative to this balancer, which answers with no bytes: a player that knows gaps does
//   not ask,
//                                 and the others take it for an empty segment and go on
//   an init section, a key        relative to this balancer, which redirects: it does not depend on pins
//   lists, data, steering         relative to this balancer, which serves them (documents/); or the absolute URI at the
//   origin dates                         the absolute URI at the origin other schemes (skd:, data:)   as they are
//
// A segment, part or init section that lies at none of the channel's origins makes the whole playlist unusable: no
// cache node would fetch it. Other foreign URIs become absolute.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "balancer/timeline/timeline.h"
#include "base/result.h"
#include "base/signing.h"
#include "contracts/event.h"
#include "contracts/origin_path.h"
#include "hls/playlist.h"
#include "http/uri.h"

namespace tribune::balancer {

/// The new text of one URI. Immutable.
struct SourceLink {
  std::string reference;           // relative or absolute
  std::string target;              // "/media/…" at a node, of what nodes serve; else empty
  bool is_pinned = false;          // pins decide at which node
  bool is_within_session = false;  // relative to `/live/{channel}/~{session}/`
};
using SourceLinkPtr = std::shared_ptr<const SourceLink>;  // null: the URI stays as it is

/// A playlist that another one names.
struct NamedPlaylist {
  std::string path;   // after `~{session}/`
  std::string query;  // the origin's own, without keys that have a meaning in our URLs
  http::Uri uri;
  hls::UriKind kind{};
  std::int64_t bandwidth_bps = 0;  // 0: not said
  std::uint64_t attributes = 0;    // a hash of what its tag says beside the URI
  std::size_t use = 0;             // its place in Playlist::uris
};

/// What the links of a channel are made with. Immutable.
struct LinkMaking {
  std::string channel;
  contracts::OriginSet origins;
  std::shared_ptr<const base::KeyRing> keys;
  bool serves_documents = true;  // or leaves their URIs
};

/// Where in its numbering a playlist stands. The timeline is null for a multivariant playlist.
struct LinkPlace {
  std::string path;   // of the playlist, after `~{session}/`
  std::string track;  // its name in the timeline
  http::Uri base;     // it was fetched from
  const Timeline* timeline = nullptr;
  std::string epoch;  // for links outside segments
  std::int64_t expires = 0;
  base::WallTime now;
  hls::Limits limits = {};  // of a URI, and of the playlist with its links
};

/// The path of a playlist after `~{session}/`: its origin path, moved aside where that is ours.
std::string playlist_path(const contracts::OriginPath&);
inline constexpr std::string_view kIndexPath = "index.m3u8";
/// Of the media playlist of a source that has no multivariant playlist.
inline constexpr std::string_view kOnlyMediaPath = "~media.m3u8";

/// Segments that nobody has: `~gap/{msn}[-{part}]{suffix}`.
inline constexpr std::string_view kGapPath = "~gap/";

/// The links of one source playlist. Owned by one worker.
class SourceLinks {
 public:
  /// Before anything is remembered of a playlist: invalid_input, fault origin, with the line, for a segment at no known
  /// origin.
  static base::Status check(const hls::Playlist&, const contracts::OriginSet&, const http::Uri& base,
                            const hls::Limits& = {});

  /// The playlists that it names, in the order of the text.
  std::vector<NamedPlaylist> named(const hls::Playlist&, const LinkMaking&, const LinkPlace&);

  /// One for each of Playlist::uris. `named` are the same playlists, under the paths and queries that viewers are
  /// given. Errors: as check(), too_large when the links are more than the place allows, and internal when no key can
  /// sign.
  base::Result<std::vector<SourceLinkPtr>> link(const hls::Playlist&, const LinkMaking&, const LinkPlace&,
                                                const std::vector<NamedPlaylist>& named);

 private:
  struct Work;
  void note_base(const hls::Playlist&, const LinkPlace&);
  const http::Uri& base_of(const hls::UriUse&, const LinkPlace&) const;
  std::unordered_map<std::string, SourceLinkPtr> listed_;
  std::map<std::uint32_t, http::Uri> bases_;  // of each generation that is still listed
};

}  // namespace tribune::balancer
