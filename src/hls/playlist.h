#pragma once
// A playlist (RFC 8216bis) as a value that keeps every byte of its text: the lines in order with their endings, and the
// meaning of the tags. Rewriting replaces only URIs and the few attributes named here. Malformed lines that players do
// not need are blank lines (flaws.h).

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "hls/flaws.h"
#include "hls/limits.h"

namespace tribune::hls {

/// The tag or line that contains a URI. The kind of its target determines how it is linked.
enum class UriKind : std::uint8_t {
  variant,         // the line after EXT-X-STREAM-INF
  iframe_variant,  // EXT-X-I-FRAME-STREAM-INF
  image_variant,   // vendor image streams: EXT-X-IMAGE-STREAM-INF
  rendition,       // EXT-X-MEDIA
  session_data,
  session_key,
  steering,  // EXT-X-CONTENT-STEERING SERVER-URI
  segment,
  part,
  preload_hint,  // TYPE=PART; a hint of TYPE=MAP is a `map`
  map,
  key,
  rendition_report,
  asset_uri,      // EXT-X-DATERANGE X-ASSET-URI: a multivariant playlist
  asset_list,     // EXT-X-DATERANGE X-ASSET-LIST: JSON
  daterange_uri,  // EXT-X-DATERANGE X-URI
};

/// Whether the URI refers to another playlist.
bool leads_to_playlist(UriKind);

/// One URI in a playlist. `line`, `begin` and `length` are the position of its text.
struct UriUse {
  UriKind kind{};
  bool quoted = false;
  bool gap = false;  // parts: GAP=YES
  std::uint32_t line = 0;
  std::uint32_t begin = 0;  // in the line, after the quote
  std::uint32_t length = 0;
  std::uint32_t generation = 0;    // the source timeline of the URI; see join()
  std::int32_t part = -1;          // parts and part hints: the index in their segment, from 0
  std::int64_t msn = -1;           // of the segment it belongs to; -1 in multivariant playlists
  std::int64_t bandwidth_bps = 0;  // variants: BANDWIDTH; renditions: the largest of the variants; 0: unknown
  std::string uri;                 // variables substituted, quotes removed
};

enum class LineEnd : std::uint8_t { none, lf, crlf };

struct Line {
  std::string_view text;  // without the line end; lives as long as the playlist or a copy of it
  LineEnd end = LineEnd::lf;
};

/// Text that makes implied values explicit: the offset of a byte range, a missing EXT-X-TARGETDURATION. Always written.
struct Implied {
  std::uint32_t line = 0;
  std::uint32_t at = 0;
  std::string text;
};

/// A number in the text that changes with the numbering.
struct Numbered {
  enum class What : std::uint8_t { media_sequence, discontinuity_sequence, last_msn };
  What what{};
  std::uint32_t line = 0;
  std::uint32_t begin = 0;
  std::uint32_t length = 0;
  std::int64_t value = 0;
};

/// EXT-X-KEY.
struct KeyTag {
  std::uint32_t line = 0;
  bool none = false;        // METHOD=NONE
  bool implied_iv = false;  // the MSN is the IV: KEYFORMAT identity, AES-128 or SAMPLE-AES, no IV
  std::string keyformat;
};

/// A sub-range of a resource, in bytes.
struct SubRange {
  std::int64_t length = 0;
  std::int64_t offset = 0;
  bool operator==(const SubRange&) const = default;
};

struct Segment {
  std::int64_t msn = 0;
  std::int64_t discontinuity_sequence = 0;  // including the tags before this segment
  std::chrono::microseconds duration{0};    // EXTINF
  std::uint32_t first_line = 0;             // its lines: tags and URI, [first_line, end_line)
  std::uint32_t end_line = 0;
  std::uint32_t uri_use = 0;  // index into Playlist::uris
  std::uint32_t generation = 0;
  std::uint32_t discontinuities = 0;  // EXT-X-DISCONTINUITY tags before it, after the previous segment
  std::int32_t parts = 0;
  bool gap = false;
  std::optional<SubRange> byterange;
  std::string_view program_date_time;  // as written, or empty
};

struct Playlist {
  bool multivariant = false;
  std::vector<std::shared_ptr<const std::string>> texts;  // storage of the lines
  std::vector<Line> lines;
  std::vector<UriUse> uris;                                    // in the order of the text
  std::vector<std::pair<std::string, std::string>> variables;  // EXT-X-DEFINE, resolved: children import them
  std::vector<FoundFlaw> flaws;                                // each kind once

  // Media playlists only:
  std::int64_t version = 1;
  std::chrono::milliseconds target_duration{0};
  std::optional<std::chrono::microseconds> part_target;  // EXT-X-PART-INF
  std::int64_t media_sequence = 0;
  std::int64_t discontinuity_sequence = 0;
  bool ended = false;             // EXT-X-ENDLIST
  bool vod = false;               // EXT-X-PLAYLIST-TYPE:VOD
  bool is_event = false;          // EXT-X-PLAYLIST-TYPE:EVENT: segments are only appended
  bool can_block_reload = false;  // EXT-X-SERVER-CONTROL
  std::vector<Segment> segments;
  std::int32_t trailing_parts = 0;  // of the incomplete segment
  bool has_part_hint = false;       // EXT-X-PRELOAD-HINT TYPE=PART
  std::chrono::microseconds trailing_duration{0};
  std::vector<KeyTag> keys;  // in the order of the text
  std::vector<std::uint32_t> map_lines;
  std::vector<Implied> implied;  // in the order of the text
  std::vector<Numbered> numbers;

  /// The MSN after the last complete segment.
  std::int64_t end_msn() const { return media_sequence + static_cast<std::int64_t>(segments.size()); }
  /// The first MSN that has no segment, part or hint.
  std::int64_t next_msn() const { return end_msn() + (trailing_parts > 0 || has_part_hint ? 1 : 0); }
  /// Whether the URI belongs to a missing segment or part (EXT-X-GAP, GAP=YES), which must not be loaded.
  bool is_gap(const UriUse&) const;
};

/// Context that the text does not contain.
struct Context {
  Limits limits;
  std::vector<std::pair<std::string, std::string>> imports;  // the multivariant playlist's variables, for IMPORT
  std::string query;                                         // of the playlist's URL, for QUERYPARAM
  bool strict = false;                                       // a flaw is an error
};

/// Errors: kind invalid_input or too_large, fault origin, with the line number and the error. Time and memory are
/// bounded by the limits; any input is safe.
base::Result<Playlist> parse(std::string_view text, const Context& = {});

/// Changes in addition to URIs.
struct Edits {
  std::int64_t msn_shift = 0;            // added to EXT-X-MEDIA-SEQUENCE (inserted when absent) and to LAST-MSN
  std::int64_t discontinuity_shift = 0;  // added to EXT-X-DISCONTINUITY-SEQUENCE (inserted when absent)
  bool explicit_ivs =
      false;  // keys that imply the IV get one from the *source's* MSN: needed when the numbering changes
  bool drop_delta_updates = false;     // CAN-SKIP-UNTIL, CAN-SKIP-DATERANGES: a rewritten playlist does not offer them
  bool offer_blocking_reload = false;  // CAN-BLOCK-RELOAD=YES in a media playlist without this attribute
  bool without_end = false;            // no EXT-X-ENDLIST, and no EXT-X-PLAYLIST-TYPE:VOD
};

/// Returns the new text of a URI, or nullopt to keep its bytes.
using MapUri = std::function<std::optional<std::string>(const UriUse&)>;

/// The playlist's text with URIs mapped and byte ranges made explicit where an offset was implied. Characters that
/// would end a URI early (quotes, line ends, "{$") are percent-encoded in the result of `map`.
std::string write(const Playlist&, const MapUri& map, const Edits& = {});

/// The continuation of the numbering of `before` by `after`.
struct Joint {
  std::int64_t msn_shift = 0;            // viewers' MSN - source's MSN, for `after`
  std::int64_t discontinuity_shift = 0;  // the same difference of the discontinuity sequences
  std::uint32_t generation = 0;          // of the segments of `after`
  bool goes_on = false;                  // the same media from another packager, without a discontinuity
  std::chrono::microseconds missing_each{
      0};                  // duration of each MSN that neither has; 0: that of the last segment of `before`
  std::int64_t first = 0;  // no segment of `after` below this number, as viewers see it, is listed
};

/// Joins two source timelines to one playlist for viewers: segments of `before` (viewers' numbering) from MSN `first`
/// on, EXT-X-DISCONTINUITY unless the media continues, then `after` (source's numbering, shifted as in the joint). When
/// `before` ends before `first`, `after` alone, renumbered. Segments of `after` that would repeat an MSN of `before`
/// are left out; MSNs between the two are filled with EXT-X-GAP segments. Keys and init sections are restated where
/// they change; byte ranges, variables and IVs are made explicit; parts of `before` are removed, and a segment with
/// only parts becomes a gap. Errors: more than kMaxHole MSNs between the two, no segment of `after` left, an init
/// section that cannot be ended, a limit.
inline constexpr std::int64_t kMaxHole = 8;
base::Result<Playlist> join(const Playlist& before, std::int64_t first, const Playlist& after, const Joint&,
                            const Limits& = {});

}  // namespace tribune::hls
