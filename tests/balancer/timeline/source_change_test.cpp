// A channel that gets another source.
#include <doctest/doctest.h>

#include <algorithm>
#include <utility>

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

enum class Kind { sliding, event, vod };

/// Segments of 2 s with those numbers, with a date each when `second` (of 12:00) is given.
hls::Playlist made(Kind kind, std::int64_t first, std::int64_t end, const std::string& name, int second = -1,
                   const std::string& fraction = "000") {
  std::string text =
      "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:" + std::to_string(first) + "\n";
  if (kind == Kind::event) text += "#EXT-X-PLAYLIST-TYPE:EVENT\n";
  const bool has_dates = second >= 0;
  for (auto msn = first; msn < end; ++msn, second += 2) {
    if (has_dates)
      text += "#EXT-X-PROGRAM-DATE-TIME:2026-06-01T12:00:" + std::string(second < 10 ? "0" : "") +
              std::to_string(second) + "." + fraction + "Z\n";
    text += "#EXTINF:2.0,\n" + name + std::to_string(msn) + ".ts\n";
  }
  if (kind == Kind::vod) text += "#EXT-X-ENDLIST\n";
  return playlist_of(text);
}

struct TimelineOfTwoSources {
  base::ManualClock clock;
  int epochs = 0;
  Timeline timeline{[this](std::size_t) { return "e" + std::to_string(epochs++); }};

  TimelineOfTwoSources() { CHECK_FALSE(timeline.use_source("one", true, clock.steady_now())); }
  Timeline::Outcome see(const hls::Playlist& source, const std::string& track = "v") {
    auto outcome = timeline.observe(track, source, 1000, clock.steady_now());
    if (!outcome) FAIL(outcome.error().text);
    clock.advance(2s);
    return *outcome;
  }
  void change(const std::string& id = "two") { CHECK(timeline.use_source(id, true, clock.steady_now())); }
  void restart_process() {
    Timeline next{[this](std::size_t) { return "e" + std::to_string(epochs++); }};
    restart(timeline, next, clock, {"v"});
    timeline = std::move(next);
  }
  /// The names that the playlist lists, and "|" before a segment of another epoch.
  std::string listed(const hls::Playlist& playlist) {
    std::string names;
    std::uint32_t generation = playlist.segments.front().generation;
    for (const auto& segment : playlist.segments) {
      if (std::exchange(generation, segment.generation) != segment.generation) names += "|";
      const auto& uri = playlist.uris[segment.uri_use].uri;
      names += uri.substr(0, uri.find('.')) + " ";
    }
    return names;
  }
};

}  // namespace

TEST_CASE("the first playlist of another source is believed at once, above everything listed, in a new epoch") {
  struct Case {
    const char* name;
    Kind before, after;
    const char* listed;
  };
  const Case cases[] = {
      {"two live channels", Kind::sliding, Kind::sliding, "a10 a11 a12 a13 |b2 b3 b4 "},
      {"a live channel, then an event from its beginning", Kind::sliding, Kind::event, "b0 b1 b2 b3 b4 "},
      {"a live channel, then a film", Kind::sliding, Kind::vod, "b0 b1 b2 b3 b4 "},
      {"an event, then a live channel", Kind::event, Kind::sliding, "b2 b3 b4 "},
      {"two events", Kind::event, Kind::event, "b0 b1 b2 b3 b4 "},
      {"an event, then a film", Kind::event, Kind::vod, "b0 b1 b2 b3 b4 "},
      {"a film, then a live channel", Kind::vod, Kind::sliding, "b2 b3 b4 "},
      {"a film, then an event", Kind::vod, Kind::event, "b0 b1 b2 b3 b4 "},
      {"two films", Kind::vod, Kind::vod, "b0 b1 b2 b3 b4 "},
  };
  for (const auto& one : cases)
    for (const bool names_alike : {false, true}) {
      CAPTURE(one.name);
      CAPTURE(names_alike);
      TimelineOfTwoSources s;
      const auto before = s.see(made(one.before, 8, 14, "a")).playlist;
      s.change();
      const auto shown = s.see(made(one.after, 0, 5, names_alike ? "a" : "b"));
      CHECK(shown.verdict == Verdict::restarted);
      REQUIRE(shown.playlist);
      auto expected = std::string(one.listed);
      if (names_alike) std::replace(expected.begin(), expected.end(), 'b', 'a');
      const auto listed = s.listed(*shown.playlist);
      CHECK(listed.substr(listed.find('|') + 1) == expected.substr(expected.find('|') + 1));
      CHECK((listed.find('|') == std::string::npos) == (expected.find('|') == std::string::npos));
      const auto& first = *std::find_if(shown.playlist->segments.begin(), shown.playlist->segments.end(),
                                        [](const hls::Segment& segment) { return segment.generation == 1; });
      CHECK(first.msn == 14);
      CHECK(first.discontinuity_sequence > before->segments.back().discontinuity_sequence);
      CHECK(s.timeline.generation(first.generation).epoch == "e1");
      CHECK(s.epochs == 2);
    }
}

TEST_CASE("another source continues the numbers only when dates, names and durations agree") {
  struct Case {
    const char* name;
    hls::Playlist after;
    const char* listed;
    bool is_continued;
  };
  const Case cases[] = {
      {"the same media under another URL", made(Kind::sliding, 103, 108, "a", 6), "a103 a104 |a105 a106 a107 ", true},
      {"another camera at the same time", made(Kind::sliding, 103, 108, "b", 6), "|b105 b106 b107 ", false},
      {"another encoder that numbers by the clock", made(Kind::sliding, 103, 108, "a", 6, "004"), "|a105 a106 a107 ",
       false},
      {"a packager whose names are alike and later differ", made(Kind::sliding, 103, 108, "a", 8), "|a105 a106 a107 ",
       false},
      {"names alike without dates", made(Kind::sliding, 103, 108, "a"), "|a105 a106 a107 ", false},
      {"names alike at another time", made(Kind::sliding, 103, 108, "a", 40), "|a105 a106 a107 ", false},
  };
  for (const auto& one : cases) {
    CAPTURE(one.name);
    TimelineOfTwoSources s;
    s.see(made(Kind::sliding, 100, 105, "a", 0));
    s.change();
    const auto shown = s.see(one.after).playlist;
    REQUIRE(shown);
    const auto listed = s.listed(*shown);
    CAPTURE(listed);
    CHECK(listed.ends_with(one.listed));
    CHECK(shown->end_msn() == 108);
    CHECK((shown->segments.back().discontinuity_sequence == 0) == one.is_continued);
    CHECK(s.epochs == 2);
  }
}

TEST_CASE("all playlists of another source enter its epoch with their first playlist, on one timeline") {
  TimelineOfTwoSources s;
  s.see(made(Kind::sliding, 100, 105, "a"), "v");
  s.see(made(Kind::sliding, 100, 106, "a"), "w");
  s.change();
  const auto v = s.see(made(Kind::sliding, 0, 5, "b"), "v").playlist;
  const auto w = s.see(made(Kind::sliding, 0, 5, "b"), "w").playlist;
  const auto fresh = s.see(made(Kind::sliding, 0, 5, "b"), "x").playlist;
  CHECK(v->end_msn() == 109);  // the number of a segment is the same in all of them
  CHECK(w->end_msn() == 109);
  CHECK(fresh->end_msn() == 109);
  CHECK(s.listed(*fresh) == "b2 b3 b4 ");
  CHECK(s.see(made(Kind::sliding, 1, 6, "b"), "w").verdict == Verdict::newer);
  CHECK(s.epochs == 2);
}

TEST_CASE("another source is one after restarts of the process, too, before and after its first playlist") {
  for (const bool before_its_playlist : {false, true}) {
    CAPTURE(before_its_playlist);
    TimelineOfTwoSources s;
    s.see(made(Kind::sliding, 100, 105, "a"));
    if (!before_its_playlist) s.restart_process();
    s.change();
    if (before_its_playlist) s.restart_process();
    CHECK_FALSE(s.timeline.use_source("two", true, s.clock.steady_now()));
    auto shown = s.see(made(Kind::sliding, 0, 5, "a"));
    CHECK(shown.verdict == Verdict::restarted);
    CHECK(s.listed(*shown.playlist).ends_with("a2 a3 a4 "));
    CHECK(shown.playlist->end_msn() == 108);
    s.restart_process();
    CHECK_FALSE(s.timeline.use_source("two", true, s.clock.steady_now()));
    shown = s.see(made(Kind::sliding, 1, 6, "a"));
    CHECK(shown.verdict == Verdict::newer);
    CHECK(shown.playlist->end_msn() == 109);
  }
}

TEST_CASE("sources that change before anybody watches, or again and again, leave no trace in the numbers") {
  TimelineOfTwoSources s;
  s.timeline.begin(s.clock.steady_now());
  s.change("two");
  s.change("three");
  CHECK(s.see(made(Kind::sliding, 7, 12, "a")).playlist->media_sequence == 7);
  std::int64_t end = 12;
  for (int i = 0; i < 40; ++i) {
    s.change("s" + std::to_string(i));
    const auto shown = s.see(made(Kind::sliding, i % 3, i % 3 + 5, "a")).playlist;
    CHECK(shown->end_msn() == end + 3);
    end += 3;
  }
}

TEST_CASE("a source keeps its epoch unless the links need another one, and a record without a source adopts it") {
  TimelineOfTwoSources s;
  s.see(made(Kind::sliding, 100, 105, "a"));
  CHECK_FALSE(s.timeline.use_source("one", true, s.clock.steady_now()));
  const auto revision = s.timeline.revision();
  CHECK(s.timeline.use_source("one", false, s.clock.steady_now()));
  CHECK(s.timeline.revision() != revision);
  CHECK(s.epochs == 2);

  Timeline former{[](std::size_t) { return std::string("x"); }};
  former.observe("v", made(Kind::sliding, 0, 5, "a"), 1000, s.clock.steady_now()).value();
  const auto before = former.revision();
  CHECK_FALSE(former.use_source("one", true, s.clock.steady_now()));
  CHECK(former.revision() != before);
  CHECK(former.use_source("two", true, s.clock.steady_now()));
}

TEST_CASE("without a playlist that could stand another timeline needs no confirmation, once") {
  TimelineOfTwoSources s;
  s.see(made(Kind::vod, 0, 5, "a"));
  CHECK(s.see(made(Kind::vod, 0, 5, "b")).verdict == Verdict::unconfirmed);
  s.timeline.expect_restart();
  const auto shown = s.see(made(Kind::vod, 0, 5, "b"));
  CHECK(shown.verdict == Verdict::restarted);
  CHECK(s.listed(*shown.playlist) == "b0 b1 b2 b3 b4 ");
  s.clock.advance(20s);
  CHECK(s.see(made(Kind::vod, 0, 5, "c")).verdict == Verdict::unconfirmed);
}

TEST_CASE("a film after a live channel was never live") {
  TimelineOfTwoSources s;
  CHECK_FALSE(s.timeline.is_live("v"));
  s.see(made(Kind::sliding, 8, 14, "a"));
  CHECK(s.timeline.is_live("v"));
  s.change();
  CHECK_FALSE(s.timeline.is_live("v"));
  s.see(made(Kind::vod, 0, 5, "b"));
  CHECK_FALSE(s.timeline.is_live("v"));
  CHECK_FALSE(s.timeline.links("v")->live_until);
  s.change("three");
  s.see(made(Kind::sliding, 8, 14, "c"));
  CHECK(s.timeline.is_live("v"));
  s.restart_process();
  CHECK(s.timeline.is_live("v"));
  s.see(made(Kind::vod, 9, 15, "c"));
  CHECK_FALSE(s.timeline.is_live("v"));
  s.restart_process();
  CHECK_FALSE(s.timeline.is_live("v"));
}
