// Origins that number and name the same media differently.
#include <doctest/doctest.h>

#include "balancer/playlist_texts.h"
#include "balancer/timeline.h"
#include "base/clock.h"

using namespace tribune;
using namespace tribune::test;
using namespace std::chrono_literals;
using balancer::Timeline;
using Verdict = Timeline::Verdict;

namespace {

/// Segments of 2 s, the first at `second` past twelve.
hls::Playlist dated(std::int64_t first, std::int64_t end, int second, const std::string& name) {
  std::string text = "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:" + std::to_string(first) + "\n";
  for (auto msn = first; msn < end; ++msn, second += 2) {
    const auto two = [](int n) { return (n < 10 ? "0" : "") + std::to_string(n); };
    text += "#EXT-X-PROGRAM-DATE-TIME:2026-06-01T12:" + two(second / 60) + ":" + two(second % 60) + ".000Z\n#EXTINF:2.0,\n" + name + std::to_string(msn) + ".ts\n";
  }
  return playlist_of(text);
}

struct Scene {
  base::ManualClock clock;
  int epochs = 0;
  Timeline timeline{[this] { return "e" + std::to_string(epochs++); }};

  Timeline::Outcome see(const hls::Playlist& source, std::size_t origin, const std::string& track = "v") {
    auto outcome = timeline.observe(track, source, 1000, clock.steady_now(), {}, origin);
    if (!outcome) FAIL(outcome.error().text);
    clock.advance(2s);
    return *outcome;
  }
  std::string uri(const hls::Playlist& playlist, std::size_t segment) { return playlist.uris[playlist.segments[segment].uri_use].uri; }
};

}  // namespace

TEST_CASE("an origin with the same names and numbers is the same timeline") {
  Scene s;
  s.see(live(10, 15), 0);
  const auto shown = s.see(live(11, 16), 1);
  CHECK(shown.verdict == Verdict::newer);
  CHECK(s.epochs == 1);
  CHECK(s.timeline.current().origin == 0);
}

TEST_CASE("an origin with other numbers and names goes on by its dates, without a discontinuity") {
  Scene s;
  s.see(dated(100, 105, 0, "a"), 0);                       // 12:00:00 to 12:00:10
  const auto shown = s.see(dated(7, 12, 4, "b"), 1);       // 12:00:04 to 12:00:14
  REQUIRE(shown.playlist);
  const auto& p = *shown.playlist;
  CHECK(p.end_msn() == 107);
  CHECK(p.segments.back().discontinuity_sequence == 0);
  REQUIRE(p.segments.size() == 5);
  CHECK(s.uri(p, 2) == "a104.ts");                         // what was listed keeps its text
  CHECK(s.uri(p, 3) == "b10.ts");
  CHECK(s.timeline.generation(p.segments[3].generation).epoch == "e1");
  CHECK(s.timeline.generation(p.segments[3].generation).origin == 1);
  CHECK(hls::write(p, {}).find("DISCONTINUITY") == std::string::npos);
  SUBCASE("and back again") {
    const auto back = s.see(dated(104, 109, 8, "a"), 0);
    REQUIRE(back.playlist);
    CHECK(back.playlist->end_msn() == 109);
    CHECK(s.uri(*back.playlist, 3) == "a107.ts");
    CHECK(s.timeline.current().origin == 0);
    CHECK(back.playlist->segments.back().discontinuity_sequence == 0);
  }
  SUBCASE("another rendition joins under the same numbers") {
    s.see(dated(7, 12, 4, "w"), 1, "w");
    CHECK(s.timeline.current().epoch == "e1");
  }
}

TEST_CASE("an origin whose first segment follows the last one seen at once goes on too") {
  Scene s;
  s.see(dated(100, 105, 0, "a"), 0);
  const auto shown = s.see(dated(0, 5, 10, "b"), 1);
  REQUIRE(shown.playlist);
  CHECK(shown.playlist->end_msn() == 110);
  CHECK(shown.playlist->segments.back().discontinuity_sequence == 0);
}

TEST_CASE("without dates, names and durations tell the numbers") {
  Scene s;
  s.see(live(100, 105), 0);
  auto text = live_text(102, 107);
  text.replace(text.find("SEQUENCE:102"), 12, "SEQUENCE:2");   // the same files, counted from elsewhere
  const auto shown = s.see(playlist_of(text), 1);
  REQUIRE(shown.playlist);
  CHECK(shown.playlist->end_msn() == 107);
  CHECK(shown.playlist->segments.back().discontinuity_sequence == 0);
  CHECK(s.uri(*shown.playlist, 4) == "seg106.ts");
}

TEST_CASE("an origin that is behind shows nothing until it has something new") {
  Scene s;
  s.see(dated(100, 105, 0, "a"), 0);
  CHECK(s.see(dated(0, 5, 0, "b"), 1).verdict == Verdict::older_copy);
  CHECK(s.epochs == 1);
  const auto shown = s.see(dated(1, 6, 2, "b"), 1);
  REQUIRE(shown.playlist);
  CHECK(shown.playlist->end_msn() == 106);
  CHECK(s.uri(*shown.playlist, shown.playlist->segments.size() - 1) == "b5.ts");
}

TEST_CASE("media that does not meet what was listed begins after a discontinuity") {
  Scene s;
  s.see(dated(100, 105, 0, "a"), 0);
  const auto shown = s.see(dated(0, 5, 60, "b"), 1);
  REQUIRE(shown.playlist);
  CHECK(shown.verdict == Verdict::restarted);
  CHECK(shown.playlist->segments.back().discontinuity_sequence == 1);
  CHECK(shown.playlist->end_msn() == 110);
}

TEST_CASE("a restart of the process between two origins forgets nothing") {
  Scene s;
  s.see(dated(100, 105, 0, "a"), 0);
  const auto now = s.clock.steady_now();
  const auto wall = s.clock.wall_now();
  const auto channel = s.timeline.save_channel(now, wall);
  const auto track = s.timeline.save_track("v", now, wall);
  s.timeline = Timeline{[&s] { return "e" + std::to_string(s.epochs++); }};
  s.timeline.load_channel(channel, now, wall);
  s.timeline.load_track("v", track, now, wall);
  const auto shown = s.see(dated(7, 12, 4, "b"), 1);
  REQUIRE(shown.playlist);
  CHECK(shown.playlist->media_sequence == 105);
  CHECK(shown.playlist->end_msn() == 107);
}
