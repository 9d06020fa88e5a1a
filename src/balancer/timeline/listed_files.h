#pragma once
// Whether a backup's playlist lists the same files as the playlist of the source's own origin. A file that both list
// must have the same name, duration, date and number. Pure.
//
// Each segment of the backup is compared with one of the source's own:
//   the one of that time, when both have dates (they begin within half of the shorter duration of each other),
//   otherwise the one of that number; if its name is another one, and the source lists that name once, the one of that
//   name
//
// What is no difference
//   a backup that lags or is ahead: segments that the source has not listed, or lists no more, are not compared
//   rounded durations: half a second if one is a whole number of seconds, otherwise a tenth
//   other numbers of files whose names and dates agree: the playlist of another packager's run, or of another window
//   dates that differ by at most half a segment
//
// Without dates a backup whose counter is a few segments apart looks like one that lags. One that differs by more than
// kLargestLag target durations has nothing in common with the source (is_far).

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "hls/playlist.h"
#include "http/uri.h"

namespace tribune::balancer {

/// In target durations: a backup without dates that lags by more is not compared.
inline constexpr int kLargestLag = 10;

struct FileComparison {
  enum class Result {
    same,       // at least one file was compared, and all agree
    different,  // one contradicts
    unrelated,  // the playlists have no file in common
    unknown     // nothing can be compared, because the source has no files, or gives each of them a new name each time
  };
  Result result = Result::unknown;
  std::string_view difference{};  // "names", "durations", "dates" or "numbers": a literal
  std::string path{};             // of the segment at the backup
  std::int64_t source_end = 0;    // the MSNs after the last segments
  std::int64_t backup_end = 0;
  bool is_far = false;  // these are further apart than a backup may lag
};

/// The files that the source's own origin lists and listed last. Owned by one worker.
class ListedFiles {
 public:
  /// Takes a playlist of the source's own origin, which was fetched from `base`. Files of a former run of the packager
  /// are forgotten.
  void see(const hls::Playlist&, const http::Uri& base);
  FileComparison compare(const hls::Playlist& backup, const http::Uri& base) const;

 private:
  struct File {
    std::int64_t msn = 0;
    std::uint64_t name = 0;    // a hash of the path and byte range
    std::int64_t date_us = 0;  // when it begins, as stated or after the segment before; 0: unknown
    std::int64_t duration_us = 0;
    std::string path = {};
  };
  class Lookup;
  static std::vector<File> files_of(const hls::Playlist&, const http::Uri& base, std::size_t most);
  bool is_far(std::int64_t segments) const;
  static std::string_view difference(const File&, const File&);

  std::map<std::int64_t, File> files_;  // by MSN
  std::int64_t listed_from_ = 0;        // the MSN of the first one that is still listed
  std::int64_t target_us_ = 0;
  bool are_renamed_ = false;  // the last two playlists had other names for the same segments
};

}  // namespace tribune::balancer
