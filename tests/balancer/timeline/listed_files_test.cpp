// When the playlist of a backup shows that it has other files than the source, and when it does not.
#include "balancer/timeline/listed_files.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "balancer/playlist_texts.h"

using namespace tribune;
using namespace tribune::test;
using balancer::FileComparison;
using balancer::ListedFiles;
using Result = FileComparison::Result;

namespace {

/// Segments of a playlist in order, numbered from `first`.
struct Listed {
  std::int64_t first = 100;
  int count = 5;
  std::string name = "seg";      // and the number
  std::int64_t name_offset = 0;  // added to the number in the name
  double duration_s = 2;
  std::optional<double> date_s = {};  // of the number 100, after 12:00:00
  bool only_first_is_dated = false;
  std::string tags = {};  // before each segment
  std::string query = {};
};

hls::Playlist playlist(const Listed& l) {
  auto text = fmt::format("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:{}\n", l.first);
  for (auto msn = l.first; msn < l.first + l.count; ++msn) {
    if (l.date_s && (msn == l.first || !l.only_first_is_dated)) {
      const auto at = *l.date_s + static_cast<double>(msn - 100) * l.duration_s;
      const auto ms = static_cast<std::int64_t>(at * 1'000) + 12 * 3'600'000;
      text += fmt::format("#EXT-X-PROGRAM-DATE-TIME:2026-06-01T{:02}:{:02}:{:02}.{:03}Z\n", ms / 3'600'000,
                          ms / 60'000 % 60, ms / 1'000 % 60, ms % 1'000);
    }
    text += l.tags;
    text += fmt::format("#EXTINF:{:.3f},\n{}{}.ts{}\n", l.duration_s, l.name, msn + l.name_offset, l.query);
  }
  return playlist_of(text);
}

const http::Uri kAtSource = http::parse_uri("http://source.test/live/v1/index.m3u8").value();
const http::Uri kAtBackup = http::parse_uri("http://backup.test/live/v1/index.m3u8").value();

FileComparison compare(const Listed& source, const Listed& backup) {
  ListedFiles files;
  files.see(playlist(source), kAtSource);
  return files.compare(playlist(backup), kAtBackup);
}

struct Case {
  const char* what;
  Listed source, backup;
  Result result;
  std::string difference = "";
};

}  // namespace

TEST_CASE("a backup has other files when a name, duration, date or number contradicts, and not when it lags") {
  const Listed plain, dated{.date_s = 0};
  const Case cases[] = {
      {"the same", plain, plain, Result::same},
      {"the same with dates", dated, dated, Result::same},
      {"it lags", plain, {.first = 98}, Result::same},
      {"it is ahead", plain, {.first = 103}, Result::same},
      {"it lags by more than it lists", plain, {.first = 90}, Result::unrelated},
      {"other names of the same numbers", plain, {.name = "chunk"}, Result::different, "names"},
      {"other names of the same dates",
       dated,
       {.first = 7, .name = "chunk", .date_s = 2 * 93},
       Result::different,
       "names"},
      {"other names of dates within half a segment",
       dated,
       {.first = 7, .name = "chunk", .date_s = 2 * 93 + 0.9},
       Result::different,
       "names"},
      {"other names, numbers and dates", dated, {.first = 7, .name = "chunk", .date_s = -600}, Result::unrelated},
      {"other names and numbers without dates", plain, {.first = 7, .name = "chunk"}, Result::unrelated},
      {"another duration", plain, {.duration_s = 1.4}, Result::different, "durations"},
      {"a duration that one of them rounds", plain, {.duration_s = 1.5}, Result::same},
      {"another duration, neither rounded", {.duration_s = 1.92}, {.duration_s = 1.81}, Result::different, "durations"},
      {"the last digits of a duration", {.duration_s = 1.92}, {.duration_s = 1.83}, Result::same},
      {"the same names at another date", dated, {.date_s = 2}, Result::different, "dates"},
      {"the same names at a date far away", dated, {.date_s = -3'600}, Result::different, "dates"},
      {"a date half a segment later", dated, {.date_s = 1}, Result::same},
      {"a date more than half a segment later", dated, {.date_s = 1.001}, Result::different, "dates"},
      {"the same names at other numbers", plain, {.first = 1, .name_offset = 99}, Result::different, "numbers"},
      {"other numbers of the same names and dates",
       dated,
       {.first = 1, .name_offset = 99, .date_s = 198},
       Result::same},
      {"dates at one of them alone", dated, plain, Result::same},
      {"dates at one of them alone, and other names", dated, {.name = "chunk"}, Result::different, "names"},
      {"dates of the first segment alone", dated, {.date_s = 0, .only_first_is_dated = true}, Result::same},
      {"another date of the first segment alone",
       dated,
       {.date_s = 2, .only_first_is_dated = true},
       Result::different,
       "dates"},
      {"dates that follow from durations",
       {.duration_s = 1.92, .date_s = 0, .only_first_is_dated = true},
       {.first = 7, .name = "chunk", .duration_s = 1.92, .date_s = 182.4, .only_first_is_dated = true},
       Result::different,
       "names"},
      {"dates that would follow from rounded durations",
       {.date_s = 0, .only_first_is_dated = true},
       {.first = 7, .name = "chunk", .date_s = 188, .only_first_is_dated = true},
       Result::unrelated},
      {"other queries", plain, {.query = "?token=1"}, Result::same},
      {"gaps at the backup", plain, {.name = "chunk", .tags = "#EXT-X-GAP\n"}, Result::unknown},
      {"gaps at the source", {.tags = "#EXT-X-GAP\n"}, plain, Result::unknown},
      {"one name for all segments, by number", {.name = "all.ts?"}, {.name = "all.ts?"}, Result::same},
      {"one name for all segments, by date",
       {.name = "all.ts?", .date_s = 0},
       {.first = 7, .name = "all.ts?", .date_s = 2 * 93},
       Result::same},
      {"other byte ranges",
       {.tags = "#EXT-X-BYTERANGE:10@0\n"},
       {.tags = "#EXT-X-BYTERANGE:10@20\n"},
       Result::different,
       "names"},
  };
  for (const auto& one : cases) {
    CAPTURE(one.what);
    const auto found = compare(one.source, one.backup);
    CHECK(found.result == one.result);
    CHECK(found.difference == one.difference);
    CHECK(found.path.empty() == one.difference.empty());
  }
}

TEST_CASE("names are compared as paths, however the playlists write them") {
  ListedFiles files;
  files.see(playlist({}), kAtSource);
  CHECK(files.compare(playlist({.name = "/live/v1/seg"}), kAtBackup).result == Result::same);
  CHECK(files.compare(playlist({.name = "http://other.test/live/v1/seg"}), kAtBackup).result == Result::same);
  const auto elsewhere =
      files.compare(playlist({}), http::parse_uri("http://backup.test/pop3/live/v1/index.m3u8").value());
  CHECK(elsewhere.difference == "names");
  CHECK(elsewhere.path == "/pop3/live/v1/seg100.ts");
}

TEST_CASE("a backup that lags is compared with what has left the source's playlist") {
  ListedFiles files;
  for (int first = 100; first < 120; ++first) files.see(playlist({.first = first, .date_s = 0}), kAtSource);
  CHECK(files.compare(playlist({.first = 101, .date_s = 0}), kAtBackup).result == Result::same);
  CHECK(files.compare(playlist({.first = 101, .name = "chunk", .date_s = 0}), kAtBackup).difference == "names");

  SUBCASE("without dates at most ten target durations") {
    CHECK(files.compare(playlist({.first = 113, .count = 1}), kAtBackup).result == Result::same);
    CHECK(files.compare(playlist({.first = 112, .count = 1}), kAtBackup).result == Result::unrelated);
    CHECK(files.compare(playlist({.first = 112, .count = 1, .name = "chunk"}), kAtBackup).result == Result::unrelated);
  }
  SUBCASE("of a long playlist as well") {
    files.see(playlist({.first = 100, .count = 60}), kAtSource);
    CHECK(files.compare(playlist({.first = 149, .count = 1}), kAtBackup).result == Result::same);
    CHECK(files.compare(playlist({.first = 148, .count = 1}), kAtBackup).result == Result::unrelated);
  }
}

TEST_CASE("a ring of names is no contradiction") {
  const auto ring = [](std::int64_t first, std::int64_t round) {
    return playlist({.first = first, .count = 3, .name_offset = -round, .date_s = 0});
  };
  ListedFiles files;
  files.see(ring(100, 0), kAtSource);  // seg100 to seg102
  files.see(ring(103, 0), kAtSource);  // seg103 to seg105
  files.see(ring(106, 6), kAtSource);  // seg100 to seg102 again
  CHECK(files.compare(ring(106, 6), kAtBackup).result == Result::same);
  CHECK(files.compare(ring(100, 0), kAtBackup).result == Result::same);       // it lags by a round
  CHECK(files.compare(ring(109, 6), kAtBackup).result == Result::unrelated);  // it is ahead
  CHECK(files.compare(ring(109, 9), kAtBackup).difference == "dates");
}

TEST_CASE("a source that starts again is compared by its new files") {
  ListedFiles files;
  files.see(playlist({}), kAtSource);
  SUBCASE("with other names of the same numbers") {
    files.see(playlist({.name = "new"}), kAtSource);
    CHECK(files.compare(playlist({}), kAtBackup).result == Result::unknown);
    files.see(playlist({.first = 101, .name = "new"}), kAtSource);
    CHECK(files.compare(playlist({}), kAtBackup).difference == "names");
  }
  SUBCASE("with lower numbers") {
    files.see(playlist({.first = 0, .name = "new"}), kAtSource);
    CHECK(files.compare(playlist({}), kAtBackup).result == Result::unrelated);
    CHECK(files.compare(playlist({.first = 0, .name = "new"}), kAtBackup).result == Result::same);
  }
  SUBCASE("with numbers that follow") {
    files.see(playlist({.first = 105, .name = "new"}), kAtSource);
    CHECK(files.compare(playlist({.first = 105, .name = "new"}), kAtBackup).result == Result::same);
  }
}

TEST_CASE("a source that renames its segments with each playlist is not compared") {
  ListedFiles files;
  CHECK(files.compare(playlist({}), kAtBackup).result == Result::unknown);
  for (int i = 0; i < 3; ++i) {
    files.see(playlist({.name = fmt::format("token{}/seg", i)}), kAtSource);
    CHECK(files.compare(playlist({.name = "other/seg"}), kAtBackup).result ==
          (i == 0 ? Result::different : Result::unknown));
  }
}

TEST_CASE("the ends of both playlists are reported") {
  const auto found = compare({}, {.first = 7, .count = 3, .name = "chunk"});
  CHECK(found.source_end == 105);
  CHECK(found.backup_end == 10);
}

TEST_CASE("numbers are far apart when they differ by more than ten target durations") {
  CHECK_FALSE(compare({}, {.first = 90}).is_far);
  CHECK(compare({}, {.first = 89}).is_far);
  CHECK_FALSE(compare({}, {.first = 110}).is_far);
  CHECK(compare({}, {.first = 111}).is_far);
  CHECK_FALSE(compare({.duration_s = 0}, {.first = 7}).is_far);
}

TEST_CASE("only the end of a long backup playlist is compared, and memory is bounded") {
  ListedFiles files;
  files.see(playlist({.first = 0, .count = 5'000, .date_s = 0}), kAtSource);
  CHECK(files.compare(playlist({.first = 0, .count = 5'000, .date_s = 0}), kAtBackup).result == Result::same);
  CHECK(files.compare(playlist({.first = 4'872, .count = 1, .date_s = 0}), kAtBackup).result == Result::same);
  CHECK(files.compare(playlist({.first = 4'871, .count = 1, .date_s = 0}), kAtBackup).result == Result::unrelated);
}
