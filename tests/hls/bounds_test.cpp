// Bounds on the cost of a small playlist of the origin.
#include <doctest/doctest.h>

#include <chrono>
#include <ctime>

#include "hls/attributes.h"
#include "hls/playlist.h"
#include "hls/playlist_text.h"
#include "hls/variables.h"

using namespace tribune;
using namespace std::chrono_literals;
using test::good;
using test::kHead;

namespace {

std::chrono::nanoseconds time_of_this_thread() {  // CPU time: the load of the machine does not count
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

#ifdef TRIBUNE_SANITIZED
constexpr int kSlowness = 10;  // of a build with checked memory accesses
#else
constexpr int kSlowness = 1;
#endif

/// The CPU time of the work, scaled to a release build.
template <class Work>
std::chrono::nanoseconds timed(Work work) {
  const auto start = time_of_this_thread();
  work();
  return (time_of_this_thread() - start) / kSlowness;
}

std::string segments(int count, const std::string& name = "s") {
  std::string text;
  for (int i = 0; i < count; ++i) text += "#EXTINF:2,\n" + name + std::to_string(i) + "\n";
  return text;
}

/// The result of joining the text to a playlist that ended.
base::Result<hls::Playlist> joined(const std::string& text, const hls::Limits& limits = {}) {
  const auto before = good(kHead + segments(2, "old"));
  const auto after = good(text);
  return hls::join(before, 0, after, {2, 1, 1}, limits);
}

}  // namespace

TEST_CASE("a long variable in unknown tags is not expanded beyond the bound") {
  std::string text = kHead + "#EXT-X-DEFINE:NAME=\"v\",VALUE=\"" + std::string(16'000, 'x') + "\"\n";
  for (int i = 0; i < 2'000; ++i)
    text +=
        "#EXT-X-UNKNOWN:{$v}{$v}{$v}{$v}{$v}{$v}{$v}{$v}{$v}{$v}{$v}{$v}{$v}{$v}{$v}{$v}{$v}{$v}{$v}{$v}{$v}{$v}{$v}{$"
        "v}\n";
  text += segments(2);
  const auto took = timed([&] {
    const auto result = joined(text);
    REQUIRE_FALSE(result);
    CHECK(result.error().kind == base::ErrorKind::too_large);
  });
  CHECK(took < 500ms);
}

TEST_CASE("a long key is not restated for every segment beyond the bound") {
  const auto text = kHead + "#EXT-X-KEY:METHOD=AES-128,URI=\"" + std::string(40'000, 'k') + "\"\n" + segments(20'000);
  const auto took = timed([&] {
    const auto result = joined(text);
    REQUIRE_FALSE(result);
    CHECK(result.error().kind == base::ErrorKind::too_large);
  });
  CHECK(took < 500ms);
}

TEST_CASE("the bound on the written size is a setting, independent of the source's own bounds") {
  const auto text = kHead + "#EXT-X-KEY:METHOD=AES-128,URI=\"" + std::string(500, 'k') + "\"\n" + segments(200);
  hls::Limits limits;
  limits.max_bytes = text.size();
  limits.max_lines = 500;
  CHECK(joined(text, limits));
  limits.max_rewritten_bytes = 64 * 1024;
  CHECK_FALSE(joined(text, limits));
}

TEST_CASE("many keys of many formats are restated in one pass") {
  std::string text = kHead;
  for (int i = 0; i < 40'000; ++i)
    text += "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\",KEYFORMAT=\"" + std::to_string(i) + "\"\n";
  text += segments(2);
  const auto playlist = good(text);
  const auto took = timed([&] { CHECK(hls::join(playlist, 1, good(kHead + segments(1)), {2, 1, 1})); });
  CHECK(took < 500ms);
}

TEST_CASE("a repeated sequence number is detected without scanning the numbers before it") {
  std::string text = kHead;
  for (int i = 0; i < 40'000; ++i) text += "#EXT-X-RENDITION-REPORT:URI=\"r\",LAST-MSN=1\n";
  text += "#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-DISCONTINUITY-SEQUENCE:3\n";
  for (int i = 0; i < 40'000; ++i) text += i % 2 ? "#EXT-X-MEDIA-SEQUENCE:9\n" : "#EXT-X-DISCONTINUITY-SEQUENCE:9\n";
  text += segments(2);
  const auto took = timed([&] {
    const auto playlist = good(text);
    CHECK(playlist.media_sequence == 7);
    CHECK(playlist.segments.front().discontinuity_sequence == 3);
    REQUIRE(playlist.flaws.size() == 1);
    CHECK(playlist.flaws.front().count == 40'000);
  });
  CHECK(took < 800ms);
}

TEST_CASE("a line full of incomplete references is scanned once") {
  std::string text;
  while (text.size() < 4u << 20) text += "{$";
  text += "}{$v}";
  const auto took = timed([&] {
    const auto found = hls::next_reference(text, 0);
    REQUIRE(found);
    CHECK(found->name == "v");
  });
  CHECK(took < 1s);
  CHECK_FALSE(hls::next_reference("{$}{$a b}{$", 0));
  CHECK(hls::next_reference("{${$a}", 0)->begin == 2);
}

TEST_CASE("a list with more than kMaxAttributes attributes is an error") {
  std::string list;
  for (std::size_t i = 0; i < hls::kMaxAttributes; ++i) list += (i ? ",A" : "A") + std::to_string(i) + "=1";
  std::vector<hls::Attribute> attributes;
  CHECK_FALSE(hls::read_attributes(list, 0, attributes));
  CHECK(hls::read_attributes(list + ",B=1", 0, attributes));
}

TEST_CASE("a variable is found without scanning the others") {
  std::string text = kHead;
  for (int i = 0; i < 1'000; ++i) text += "#EXT-X-DEFINE:NAME=\"v" + std::to_string(i) + "\",VALUE=\"x\"\n";
  for (int i = 0; i < 400; ++i) {
    text += "#EXT-X-UNKNOWN:";
    for (int j = 0; j < 400; ++j) text += "{$v999}";
    text += "\n";
  }
  text += segments(2);
  const auto took = timed([&] { CHECK(joined(text)); });
  CHECK(took < 1s);
}
