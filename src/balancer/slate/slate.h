#pragma once
// A slate: the prepared "you are in the queue" loop of one channel, made by scripts/make-slate. It has a rendition for each
// media playlist of the programme, cut alike, and lives in memory.
//
//   {folder}/{channel}/slate.json   {"slot_ms", "renditions": [{"playlist", "init", "segments": [{"file", "ms"}]}]}
//   {folder}/{channel}/…            the files that it names
//
// "playlist" is the URI by which the source names the media playlist; for a source without variants the source itself.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "contracts/event.h"
#include "http/message.h"

namespace tribune::balancer {

struct SlateSegment {
  std::string file;                    // relative to the slate's folder
  std::chrono::milliseconds duration{0};
};

/// One media playlist's loop. Every rendition has as many segments as the others.
struct SlateRendition {
  std::string path;                    // of the programme's media playlist, after `~{session}/`
  std::string init;                    // file of the init section; empty for MPEG-TS and WebVTT
  std::vector<SlateSegment> segments;
};

/// A file as it is sent.
struct SlateFile {
  std::string_view content_type;
  base::SharedBytes body;
  std::string etag;
};

/// Bounds on what is read into memory.
inline constexpr std::uint64_t kMaxSlateBytes = 256ull << 20;
inline constexpr std::size_t kMaxSlateSegments = 600;

/// Immutable; const methods from any thread.
class Slate {
 public:
  /// Reads the channel's slate. Blocks on the disk. Errors: not_found when there is none, invalid_input for a manifest or files
  /// that do not fit each other, too_large, io.
  static base::Result<std::shared_ptr<const Slate>> load(const std::filesystem::path& folder, const contracts::Channel&);

  /// Null when the slate has nothing for that media playlist.
  const SlateRendition* rendition(std::string_view path) const;
  /// Null for a name that is none of its files.
  const SlateFile* file(std::string_view name) const;

  /// How long a segment stands at the end of the playlist: the target duration.
  std::chrono::milliseconds slot() const { return slot_; }
  /// Segments until the loop begins again.
  std::int64_t loop() const { return static_cast<std::int64_t>(renditions_.front().segments.size()); }
  /// "/slate/{channel}/{version}/": what its URLs begin with. Another content has another version.
  const std::string& base_path() const { return base_path_; }
  const std::string& version() const { return version_; }
  const std::vector<SlateRendition>& renditions() const { return renditions_; }

 private:
  base::Status read_manifest(std::string_view text, const contracts::Channel&);
  base::Status read_files(const std::filesystem::path& folder);

  std::chrono::milliseconds slot_{0};
  std::string version_;
  std::string base_path_;
  std::vector<SlateRendition> renditions_;
  std::map<std::string, SlateFile, std::less<>> files_;
};

/// The answer to a GET of a slate's file: 200 or 304, kept by every cache on the way.
http::Response slate_file_reply(const http::Headers& request, const SlateFile&);

}  // namespace tribune::balancer
