// Origins that number and name the same media differently.
#include <doctest/doctest.h>

#include <ctime>

#include "balancer/playlist_texts.h"
#include "balancer/timeline/timeline.h"
#include "balancer/timeline_restart.h"
#include "base/clock.h"

using namespace tribune;
using namespace tribune::test;
using namespace std::chrono_literals;
using balancer::Timeline;
using Verdict = Timeline::Verdict;

namespace {

/// Segments of 2 s, the first one at 12:00:00 plus `second`.
hls::Playlist dated(std::int64_t first, std::int64_t end, int second, const std::string& name) {
  std::string text =
      "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:" + std::to_string(first) + "\n";
  for (auto msn = first; msn < end; ++msn, second += 2) {
    const auto two = [](int n) { return (n < 10 ? "0" : "") + std::to_string(n); };
    text += "#EXT-X-PROGRAM-DATE-TIME:2026-06-01T12:" + two(second / 60) + ":" + two(second % 60) +
            ".000Z\n#EXTINF:2.0,\n" + name + std::to_string(msn) + ".ts\n";
  }
  return playlist_of(text);
}

struct AlignmentFixture {
  base::ManualClock clock;
  int epochs = 0;
  Timeline timeline{[this](std::size_t) { return "e" + std::to_string(epochs++); }};

  Timeline::Outcome see(const hls::Playlist& source, std::size_t origin, const std::string& track = "v") {
    auto outcome = timeline.observe(track, source, 1000, clock.steady_now(), {}, origin);
    if (!outcome) FAIL(outcome.error().text);
    clock.advance(2s);
    return *outcome;
  }
  void restart_process() {
    Timeline next{[this](std::size_t) { return "e" + std::to_string(epochs++); }};
    restart(timeline, next, clock, {"v"});
    timeline = std::move(next);
  }
  std::string uri(const hls::Playlist& playlist, std::size_t segment) {
    return playlist.uris[playlist.segments[segment].uri_use].uri;
  }
};

}  // namespace

TEST_CASE("an origin with the same names and numbers is the same timeline") {
  AlignmentFixture s;
  s.see(live(10, 15), 0);
  const auto shown = s.see(live(11, 16), 1);
  CHECK(shown.verdict == Verdict::newer);
  CHECK(s.epochs == 1);
  CHECK(s.timeline.current().origin == 0);
}

TEST_CASE("an origin with other numbers and names continues by its dates, without a discontinuity") {
  AlignmentFixture s;
  s.see(dated(100, 105, 0, "a"), 0);                  // 12:00:00 to 12:00:10
  const auto shown = s.see(dated(7, 12, 4, "b"), 1);  // 12:00:04 to 12:00:14
  REQUIRE(shown.playlist);
  const auto& p = *shown.playlist;
  CHECK(p.end_msn() == 107);
  CHECK(p.segments.back().discontinuity_sequence == 0);
  REQUIRE(p.segments.size() == 5);
  CHECK(s.uri(p, 2) == "a104.ts");  // a listed segment keeps its text
  CHECK(s.uri(p, 3) == "b10.ts");
  CHECK(s.timeline.generation(p.segments[3].generation).epoch == "e1");
  CHECK(s.timeline.generation(p.segments[3].generation).origin == 1);
  CHECK(hls::write(p, {}).find("DISCONTINUITY") == std::string::npos);
  SUBCASE("a change back to the first origin continues the numbers") {
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

TEST_CASE("dates of two origins that differ by milliseconds, or in notation, are those of the same segments") {
  const auto at = [](std::int64_t first, const std::string& name, const std::vector<std::string>& dates) {
    std::string text = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:" + std::to_string(first) + "\n";
    for (std::size_t i = 0; i < dates.size(); ++i)
      text += "#EXT-X-PROGRAM-DATE-TIME:2026-06-01T" + dates[i] + "\n#EXTINF:2.0,\n" + name +
              std::to_string(first + static_cast<std::int64_t>(i)) + ".ts\n";
    return playlist_of(text);
  };
  AlignmentFixture s;
  s.see(at(100, "a", {"12:00:00.995Z", "12:00:02.995Z", "12:00:04.995Z"}), 0);
  const auto shown = s.see(at(7, "b", {"14:00:03.0051234+0200", "14:00:05.005+02", "14:00:07.005+02:00"}), 1);
  REQUIRE(shown.playlist);
  CHECK(shown.playlist->end_msn() == 104);
  CHECK(shown.playlist->segments.back().discontinuity_sequence == 0);
}

TEST_CASE("a segment that begins half a segment later is that segment, not the next") {
  AlignmentFixture s;
  s.see(dated(100, 105, 0, "a"), 0);
  const auto shown = s.see(dated(7, 13, 1, "b"), 1);  // from 12:00:01, which is equally near to both of two segments
  REQUIRE(shown.playlist);
  CHECK(shown.playlist->end_msn() == 106);
  CHECK(shown.playlist->segments.back().discontinuity_sequence == 0);
}

TEST_CASE("two origins with long windows are compared in time that grows with their length") {
  AlignmentFixture s;
  std::string tags = "#EXT-X-PROGRAM-DATE-TIME:2026-06-01T12:00:00.000Z\n";
  const auto first = playlist_of(live_text(0, 40'000, "a", tags));
  const auto second = playlist_of(live_text(50'000, 90'001, "b", tags));
  s.see(first, 0);
  const auto began = std::clock();
  const auto shown = s.see(second, 1);
  CHECK(std::clock() - began < 2 * CLOCKS_PER_SEC);
  REQUIRE(shown.playlist);
  CHECK(shown.playlist->end_msn() == 40'001);
}

TEST_CASE("an origin whose first segment directly follows the last one seen also continues") {
  AlignmentFixture s;
  s.see(dated(100, 105, 0, "a"), 0);
  const auto shown = s.see(dated(0, 5, 10, "b"), 1);
  REQUIRE(shown.playlist);
  CHECK(shown.playlist->end_msn() == 110);
  CHECK(shown.playlist->segments.back().discontinuity_sequence == 0);
}

TEST_CASE("without dates, names and durations determine the numbers") {
  AlignmentFixture s;
  s.see(live(100, 105), 0);
  auto text = live_text(102, 107);
  text.replace(text.find("SEQUENCE:102"), 12, "SEQUENCE:2");  // the same files with other numbers
  const auto shown = s.see(playlist_of(text), 1);
  REQUIRE(shown.playlist);
  CHECK(shown.playlist->end_msn() == 107);
  CHECK(shown.playlist->segments.back().discontinuity_sequence == 0);
  CHECK(s.uri(*shown.playlist, 4) == "seg106.ts");
}

TEST_CASE("an origin that is behind shows nothing until it has a new segment") {
  AlignmentFixture s;
  s.see(dated(100, 105, 0, "a"), 0);
  CHECK(s.see(dated(0, 5, 0, "b"), 1).verdict == Verdict::older_copy);
  CHECK(s.epochs == 1);
  const auto shown = s.see(dated(1, 6, 2, "b"), 1);
  REQUIRE(shown.playlist);
  CHECK(shown.playlist->end_msn() == 106);
  CHECK(s.uri(*shown.playlist, shown.playlist->segments.size() - 1) == "b5.ts");
}

TEST_CASE("a gap of a few segments between two origins is listed as gaps, and the media continues after it") {
  AlignmentFixture s;
  s.see(dated(100, 105, 0, "a"), 0);  // to 12:00:10
  const auto text = [](const Timeline::Outcome& o) { return hls::write(*o.playlist, {}); };
  const auto shown = s.see(dated(7, 11, 14, "b"), 1);  // from 12:00:14
  REQUIRE(shown.playlist);
  const auto& p = *shown.playlist;
  CHECK(p.end_msn() == 111);
  CHECK(p.segments.back().discontinuity_sequence == 0);
  CHECK(p.media_sequence == 102);
  CHECK(text(shown).find("a104.ts\n#EXT-X-GAP\n#EXTINF:2.0,\na104.ts\n#EXT-X-GAP\n#EXTINF:2.0,\na104.ts\n#EXT-X-"
                         "PROGRAM-DATE-TIME:2026-06-01T12:00:14.000Z\n#EXTINF:2.0,\nb7.ts\n") != std::string::npos);
  CHECK(text(shown).find("DISCONTINUITY") == std::string::npos);
  SUBCASE("listed segments keep their text as both windows advance") {
    auto before = p;
    for (int i = 1; i < 12; ++i) {
      const auto next = s.see(dated(7 + i, 11 + i, 14 + 2 * i, "b"), 1);
      REQUIRE(next.playlist);
      CHECK(next.playlist->end_msn() == 111 + i);
      CHECK(next.playlist->media_sequence >= before.media_sequence);
      for (const auto& segment : next.playlist->segments) {
        const auto* same = before.end_msn() > segment.msn
                               ? &before.segments[static_cast<std::size_t>(segment.msn - before.media_sequence)]
                               : nullptr;
        if (!same) continue;
        CHECK(same->gap == segment.gap);
        CHECK(before.uris[same->uri_use].uri == next.playlist->uris[segment.uri_use].uri);
      }
      before = *next.playlist;
    }
    CHECK(before.segments.size() == 4);
    CHECK(hls::write(before, {}).find("GAP") == std::string::npos);
  }
  SUBCASE("a change back to the first origin covers another gap") {
    const auto back = s.see(dated(110, 115, 24, "a"), 0);  // from 12:00:24, two seconds after b10
    REQUIRE(back.playlist);
    CHECK(back.playlist->end_msn() == 117);
    CHECK(back.playlist->segments.back().discontinuity_sequence == 0);
    CHECK(text(back).find(
              "b10.ts\n#EXT-X-GAP\n#EXTINF:2.0,\nb10.ts\n#EXT-X-PROGRAM-DATE-TIME:2026-06-01T12:00:24.000Z") !=
          std::string::npos);
  }
  SUBCASE("a restart of the process keeps the numbers") {
    s.restart_process();
    const auto next = s.see(dated(8, 12, 16, "b"), 1);
    REQUIRE(next.playlist);
    CHECK(next.verdict == Verdict::newer);
    CHECK(next.playlist->media_sequence == 108);
    CHECK(next.playlist->end_msn() == 112);
    CHECK(next.playlist->segments.back().discontinuity_sequence == 0);
  }
}

TEST_CASE("a gap that is no multiple of a segment is divided into gaps no longer than the target duration") {
  AlignmentFixture s;
  s.see(dated(100, 105, 0, "a"), 0);
  const auto shown = s.see(dated(7, 11, 15, "b"), 1);  // 5 s are missing
  REQUIRE(shown.playlist);
  CHECK(shown.playlist->end_msn() == 105 + 3 + 4);
  CHECK(hls::write(*shown.playlist, {}).find("#EXT-X-GAP\n#EXTINF:1.666666,\n") != std::string::npos);
}

TEST_CASE("without dates a name with a counter determines how many segments are missing") {
  AlignmentFixture s;
  s.see(live(98, 103, "v1/seg"), 0);  // seg102 is the last one
  auto text = live_text(105, 109, "v1/seg");
  SUBCASE("both origins use the same numbers") {}
  SUBCASE("the second origin uses other numbers") { text.replace(text.find("SEQUENCE:105"), 12, "SEQUENCE:3"); }
  const auto shown = s.see(playlist_of(text), 1);
  REQUIRE(shown.playlist);
  CHECK(shown.playlist->end_msn() == 109);
  CHECK(shown.playlist->segments.back().discontinuity_sequence == 0);
  CHECK(hls::write(*shown.playlist, {})
            .find("v1/seg102.ts\n#EXT-X-GAP\n#EXTINF:2.0,\nv1/seg102.ts\n#EXT-X-GAP\n#EXTINF:2.0,\nv1/"
                  "seg102.ts\n#EXTINF:2.0,\nv1/seg105.ts\n") != std::string::npos);
}

TEST_CASE("a gap of more than kMaxHole segments is another timeline") {
  for (const auto& [missing, discontinuity] : {std::pair{hls::kMaxHole, 0}, {hls::kMaxHole + 1, 1}}) {
    AlignmentFixture s, t;
    s.see(dated(100, 105, 0, "a"), 0);
    CHECK(s.see(dated(7, 11, 10 + 2 * static_cast<int>(missing), "b"), 1)
              .playlist->segments.back()
              .discontinuity_sequence == discontinuity);
    t.see(live(0, 5), 0);
    CHECK(t.see(live(5 + missing, 9 + missing), 1).playlist->segments.back().discontinuity_sequence == discontinuity);
  }
}

TEST_CASE("segments that a short window has passed are no gap while the old tail is listed") {
  AlignmentFixture s;
  s.see(dated(100, 110, 0, "a"), 0);  // ten segments, to 12:00:20
  s.see(dated(0, 3, 20, "b"), 1);     // three of the other origin's
  const auto shown = s.see(dated(1, 4, 22, "b"), 1);
  REQUIRE(shown.playlist);
  CHECK(shown.playlist->media_sequence == 104);
  CHECK(s.uri(*shown.playlist, 6) == "b0.ts");
  CHECK_FALSE(shown.playlist->segments[6].gap);
}

TEST_CASE("media that does not meet what was listed begins after a discontinuity") {
  AlignmentFixture s;
  s.see(dated(100, 105, 0, "a"), 0);
  const auto shown = s.see(dated(0, 5, 60, "b"), 1);
  REQUIRE(shown.playlist);
  CHECK(shown.verdict == Verdict::restarted);
  CHECK(shown.playlist->segments.back().discontinuity_sequence == 1);
  CHECK(shown.playlist->end_msn() == 108);  // the last three target durations of the new media
}

TEST_CASE("a restart of the process between two origins loses no state") {
  AlignmentFixture s;
  s.see(dated(100, 105, 0, "a"), 0);
  s.restart_process();
  const auto shown = s.see(dated(7, 12, 4, "b"), 1);
  REQUIRE(shown.playlist);
  CHECK(shown.playlist->media_sequence == 105);
  CHECK(shown.playlist->end_msn() == 107);
}

TEST_CASE("a second packager of the same origin with the same dates continues without a discontinuity") {
  AlignmentFixture s;
  s.see(dated(100, 105, 0, "a"), 0);
  CHECK_FALSE(s.see(dated(7, 12, 2, "b"), 0).playlist);
  const auto shown = s.see(dated(8, 13, 4, "b"), 0);
  REQUIRE(shown.playlist);
  CHECK(shown.verdict == Verdict::restarted);
  CHECK(shown.playlist->end_msn() == 107);
  CHECK(shown.playlist->segments.back().discontinuity_sequence == 0);
}

TEST_CASE("a restarted encoder whose first date follows the last one begins after a discontinuity") {
  AlignmentFixture s;
  s.see(dated(100, 105, 0, "a"), 0);
  CHECK_FALSE(s.see(dated(0, 1, 10, "a"), 0).playlist);
  const auto shown = s.see(dated(0, 2, 10, "a"), 0);
  REQUIRE(shown.playlist);
  CHECK(shown.playlist->end_msn() == 107);
  CHECK(shown.playlist->segments.back().discontinuity_sequence == 1);
}

TEST_CASE("dates that show an older copy are waited for, and a playout that repeats its dates is believed in the end") {
  AlignmentFixture s;
  s.see(dated(100, 140, 0, "a"), 0);
  std::shared_ptr<const hls::Playlist> shown;
  int waited = 0;
  for (; !shown && waited < 60; ++waited) shown = s.see(dated(0, 2 + waited, 0, "a"), 0).playlist;
  REQUIRE(shown);
  CHECK(waited > 10);
  CHECK(waited < 20);
  CHECK(shown->segments.back().discontinuity_sequence == 1);
}
