#pragma once
// A slate: the prepared loop that viewers in the queue of a channel see, made by scripts/make-slate. It has a rendition
// for each media playlist of the programme, with equal segments, and is held in memory.
//
//   {folder}/{channel}/slate.json   {"slot_ms", "renditions": [{"playlist", "init", "segments": [{"file", "ms"}]}]}
//                                   "time_line": {"unix_ms", "media_ms"}: when the source first listed the segment that
//                                   begins at media_ms
//   {folder}/{channel}/…            the files that it names
//
// "playlist" is the URI by which the source names the media playlist; for a source without variants it is the source
// itself.
//
// A slate of fragmented MP4 is continuous: each slot has its own URL, whose bytes are the loop's, shifted to the time
// of the slot, so that the time stamps do not jump where the loop restarts. With "time_line" this is the programme's
// own time, so that the time stamps hardly jump at the transition either: GStreamer uses the time stamps as they are. A
// slate of MPEG-TS repeats: its URLs are listed again after a discontinuity.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "balancer/slate/fragment_shift.h"
#include "base/bytes.h"
#include "base/result.h"
#include "contracts/event.h"
#include "http/message.h"

namespace tribune::balancer {

struct SlateSegment {
  std::string file;  // relative to the slate's folder
  std::chrono::milliseconds duration{0};
};

/// The loop of one media playlist. All renditions have the same number of segments.
struct SlateRendition {
  std::string path;  // of the programme's media playlist, after `~{session}/`
  std::string init;  // file of the init section; empty for MPEG-TS and WebVTT
  std::vector<SlateSegment> segments;
  Timescales timescales;  // of a continuous slate's fragmented MP4

  const SlateSegment& segment_of(std::int64_t slot) const {
    return segments[static_cast<std::size_t>(slot) % segments.size()];
  }
};

/// A file as it is sent.
struct SlateFile {
  std::string_view content_type;
  base::SharedBytes body;
  std::string etag;
};

/// Bounds of what is read into memory.
inline constexpr std::uint64_t kMaxSlateBytes = 256ull << 20;
inline constexpr std::size_t kMaxSlateSegments = 600;

/// Immutable; const methods from any thread.
class Slate {
 public:
  /// Reads the channel's slate. Blocks on the disk. Errors: not_found when there is none, invalid_input for a manifest
  /// or files that do not match, too_large, io.
  static base::Result<std::shared_ptr<const Slate>> load(const std::filesystem::path& folder,
                                                         const contracts::Channel&);

  /// Null when the slate has no rendition for that media playlist.
  const SlateRendition* rendition(std::string_view path) const;
  /// Null for a name that is none of its files.
  const SlateFile* file(std::string_view name) const;
  /// Whether the loop's segments are shifted to their slots, on one timeline without a jump. Otherwise they repeat.
  bool is_continuous() const { return fragments_ > 0; }
  /// The segment `file` of a continuous slate in that slot. Errors: not_found when the slot has another segment.
  base::Result<SlateFile> file_in(std::int64_t slot, std::string_view file) const;
  /// The URL path of a rendition's segment in that slot.
  std::string path_in(std::int64_t slot, const SlateRendition&) const;

  /// The duration of a slot: the target duration.
  std::chrono::milliseconds slot() const { return slot_; }
  /// The number of segments in the loop.
  std::int64_t loop() const { return static_cast<std::int64_t>(renditions_.front().segments.size()); }
  /// "/slate/{channel}/{version}/", the prefix of its URLs. Other contents have another version.
  const std::string& base_path() const { return base_path_; }
  const std::string& version() const { return version_; }
  const std::vector<SlateRendition>& renditions() const { return renditions_; }

 private:
  base::Status read_manifest(std::string_view text, const contracts::Channel&);
  base::Status read_files(const std::filesystem::path& folder);
  /// Makes the slate continuous. Errors: a segment that cannot be shifted in time.
  base::Status find_time_line();
  base::Result<std::uint32_t> read_times(SlateRendition&) const;
  /// The shift of the loop's segment in that slot: each begins one slot after the last, whatever the sum of its frames.
  std::chrono::milliseconds time_shift(std::int64_t slot) const;

  std::chrono::milliseconds slot_{0};
  std::chrono::milliseconds begin_{0};   // the media's time in slot 0
  std::chrono::milliseconds length_{0};  // of the loop of a continuous slate
  std::uint32_t fragments_ = 0;  // of a continuous slate, in the rendition with the most; 0 for one that repeats
  std::string version_;
  std::string base_path_;
  std::vector<SlateRendition> renditions_;
  std::map<std::string, SlateFile, std::less<>> files_;
};

/// "slot-{number}/{file}", as path_in() appends it to the base path.
struct SlotPath {
  std::int64_t slot = 0;
  std::string_view file;
};
std::optional<SlotPath> read_slot_path(std::string_view);

/// The response to a GET of a slate's file: 200 or 304, cacheable everywhere.
http::Response slate_file_reply(const http::Headers& request, const SlateFile&);

}  // namespace tribune::balancer
