#pragma once
// A playlist (RFC 8216bis) as a value that keeps every byte of the text it was read from: lines in their order with their
// own endings, and beside them what the tags mean. Rewriting replaces URIs and the few attributes named here, nothing else.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "hls/limits.h"

namespace tribune::hls {

/// Which carrier a URI stands in. What a URI leads to decides how it is linked.
enum class UriKind {
  variant,            // the line after EXT-X-STREAM-INF
  iframe_variant,     // EXT-X-I-FRAME-STREAM-INF
  image_variant,      // vendor image streams: EXT-X-IMAGE-STREAM-INF
  rendition,          // EXT-X-MEDIA
  session_data,
  session_key,
  steering,           // EXT-X-CONTENT-STEERING SERVER-URI
  segment,
  part,
  preload_hint,
  map,
  key,
  rendition_report,
  asset_uri,          // EXT-X-DATERANGE X-ASSET-URI: a multivariant playlist
  asset_list,         // EXT-X-DATERANGE X-ASSET-LIST: JSON
  daterange_uri,      // EXT-X-DATERANGE X-URI
};

/// Whether the URI leads to another playlist.
bool leads_to_playlist(UriKind);

/// One URI in a playlist. `line`, `begin` and `length` say where its text stands.
struct UriUse {
  UriKind kind{};
  std::string uri;                    // variables substituted, quotes removed
  std::size_t line = 0;
  std::size_t begin = 0;              // in the line
  std::size_t length = 0;
  bool quoted = false;
  std::int64_t msn = -1;              // of the segment it belongs to; -1 outside segments
  std::uint32_t generation = 0;       // which source timeline it came from; see join()
};

struct Line {
  std::string text;                   // without the line end
  std::string end;                    // "\n", "\r\n" or "" at the end of the text
};

struct Segment {
  std::int64_t msn = 0;
  std::int64_t discontinuity_sequence = 0;
  std::chrono::microseconds duration{0};
  std::string uri;                    // substituted
  bool discontinuity = false;         // EXT-X-DISCONTINUITY stands before it
  bool gap = false;
  std::optional<std::string> program_date_time;
  std::size_t first_line = 0;         // its lines: tags and URI, [first_line, end_line)
  std::size_t end_line = 0;
  std::uint32_t generation = 0;
  std::int64_t parts = 0;
};

struct Playlist {
  bool multivariant = false;
  std::vector<Line> lines;
  std::vector<UriUse> uris;           // in the order of the text
  std::vector<std::pair<std::string, std::string>> variables;  // EXT-X-DEFINE, resolved: children import them

  // Media playlists only:
  std::int64_t version = 1;
  std::chrono::milliseconds target_duration{0};
  std::optional<std::chrono::milliseconds> part_target;
  std::int64_t media_sequence = 0;
  std::int64_t discontinuity_sequence = 0;
  bool ended = false;                 // EXT-X-ENDLIST
  bool vod_or_event = false;          // EXT-X-PLAYLIST-TYPE
  bool can_block_reload = false;
  std::vector<Segment> segments;
  std::int64_t trailing_parts = 0;    // of the segment that is not complete yet
};

/// What the text cannot say itself.
struct Context {
  Limits limits;
  std::vector<std::pair<std::string, std::string>> imports;  // the multivariant playlist's variables, for IMPORT
  std::string query;                                         // of the playlist's URL, for QUERYPARAM
};

/// Errors: kind invalid_input or too_large, fault origin, with the line number and what is wrong. Bounded in time and
/// memory by the limits; any bytes are safe.
base::Result<Playlist> parse(std::string_view text, const Context& = {});

/// What changes beside URIs.
struct Edits {
  std::int64_t msn_shift = 0;             // added to EXT-X-MEDIA-SEQUENCE (inserted when absent and not 0)
  std::int64_t discontinuity_shift = 0;   // added to EXT-X-DISCONTINUITY-SEQUENCE
  bool explicit_ivs = false;              // AES-128 keys without IV get one from the *source's* MSN: needed when numbering changes
  bool drop_delta_updates = true;         // CAN-SKIP-UNTIL, CAN-SKIP-DATERANGES: a rewritten playlist offers none
};

/// Gives the new text of a URI, or nothing to leave its bytes as they are.
using MapUri = std::function<std::optional<std::string>(const UriUse&)>;

/// The playlist's text with URIs mapped and byte ranges made explicit where an offset was implied.
std::string write(const Playlist&, const MapUri&, const Edits& = {});

/// One playlist for viewers out of two source timelines: the last `keep` segments of `before`, EXT-X-DISCONTINUITY, then
/// `after`, renumbered to go on where `before` ended. Keys and init sections are restated where they change, byte ranges
/// and IVs made explicit first. Segments of `after` carry `generation`.
base::Result<Playlist> join(const Playlist& before, std::size_t keep, const Playlist& after, std::uint32_t generation,
                            const Limits& = {});

}  // namespace tribune::hls
