#include "balancer/timeline/timeline.h"

#include <doctest/doctest.h>

#include <random>

#include "balancer/playlist_texts.h"
#include "balancer/timeline_restart.h"
#include "base/clock.h"

using namespace tribune;
using namespace tribune::test;
using namespace std::chrono_literals;
using balancer::Timeline;
using Verdict = Timeline::Verdict;

namespace {

struct TimelineFixture {
  base::ManualClock clock;
  int epochs = 0;
  std::int64_t expires = 1000;
  std::int64_t pace = 0;
  Timeline timeline{[this](std::size_t) { return "e" + std::to_string(epochs++); }};

  Timeline::Outcome see(const hls::Playlist& source, const std::string& track = "v") {
    auto outcome = timeline.observe(track, source, expires, clock.steady_now(), {}, 0, pace);
    if (!outcome) FAIL(outcome.error().text);
    return *outcome;
  }
  /// The source has restarted: two responses in a row, the second with one segment more.
  Timeline::Outcome see_restart(std::int64_t first, std::int64_t end, const std::string& name = "seg",
                                const std::string& track = "v") {
    const auto once = see(live(first, end - 1, name), track);
    CHECK(once.verdict == Verdict::unconfirmed);
    CHECK_FALSE(once.playlist);
    clock.advance(1s);
    return see(live(first, end, name), track);
  }
  std::string epoch_at(const hls::Playlist& playlist, std::size_t segment) {
    return timeline.generation(playlist.segments.at(segment).generation).epoch;
  }
  void restart_process(const std::vector<std::string>& tracks = {"v"}) {
    Timeline next{[this](std::size_t) { return "e" + std::to_string(epochs++); }};
    restart(timeline, next, clock, tracks);
    timeline = std::move(next);
  }
};

}  // namespace

TEST_CASE("a source that continues is shown unchanged, in one epoch") {
  TimelineFixture s;
  const auto first = live(10, 15);
  const auto shown = s.see(first);
  CHECK(shown.verdict == Verdict::first);
  CHECK(hls::write(*shown.playlist, {}) == hls::write(first, {}));
  s.clock.advance(2s);
  CHECK(s.see(live(11, 16)).verdict == Verdict::newer);
  CHECK(s.epochs == 1);
}

TEST_CASE("a source that restarts continues above what was listed, in a new epoch, after the old tail") {
  TimelineFixture s;
  s.see(live(100, 105));
  s.clock.advance(2s);
  const auto shown = s.see_restart(0, 2);
  CHECK(shown.verdict == Verdict::restarted);
  CHECK(shown.playlist->media_sequence == 102);
  REQUIRE(shown.playlist->segments.size() == 5);
  CHECK(shown.playlist->segments[3].msn == 105);
  CHECK(shown.playlist->segments[3].discontinuities == 1);
  CHECK(s.epoch_at(*shown.playlist, 2) == "e0");
  CHECK(s.epoch_at(*shown.playlist, 3) == "e1");
  s.clock.advance(20s);
  const auto later = s.see(live(4, 9));
  CHECK(later.verdict == Verdict::newer);
  CHECK(later.playlist->media_sequence == 109);
  CHECK(later.playlist->discontinuity_sequence == 1);
  CHECK(later.playlist->segments.size() == 5);
  CHECK(s.epochs == 2);
}

TEST_CASE("numbers never go back across many restarts") {
  TimelineFixture s;
  std::int64_t listed_to = 0, first = 0, discontinuity = 0;
  for (int run = 0; run < 20; ++run) {
    for (int end = 1; end < 12; ++end) {
      s.clock.advance(2s);
      const auto shown = s.see(live(std::max(0, end - 4), end, "run" + std::to_string(run) + "-")).playlist;
      if (run > 0 && end == 1) {
        CHECK_FALSE(shown);  // not confirmed yet
        continue;
      }
      CHECK(shown->end_msn() > listed_to);
      CHECK(shown->media_sequence >= first);
      CHECK(shown->segments.back().discontinuity_sequence >= discontinuity);
      listed_to = shown->end_msn();
      first = shown->media_sequence;
      discontinuity = shown->segments.back().discontinuity_sequence;
    }
  }
  CHECK(s.epochs == 20);
}

TEST_CASE("an older copy of the playlist is ignored, and is no restart") {
  TimelineFixture s;
  s.see(live(10, 15));
  const auto older = s.see(live(8, 13));
  CHECK(older.verdict == Verdict::older_copy);
  CHECK_FALSE(older.playlist);
  s.clock.advance(2s);
  CHECK(s.see(live(11, 16)).verdict == Verdict::newer);
  CHECK(s.epochs == 1);
}

TEST_CASE("stale responses of any age between current ones restart nothing and repeat nothing") {
  for (const int lag : {1, 3, 4, 5, 20, 59, 60, 61, 200})
    for (const int every : {2, 3, 10}) {
      CAPTURE(lag);
      CAPTURE(every);
      TimelineFixture s;
      std::int64_t end = 300, listed_to = 0;
      for (int poll = 0; poll < 90; ++poll, end += poll % 2) {
        s.clock.advance(1s);
        const auto edge = poll % every == 1 ? end - lag : end;
        const auto shown = s.see(live(edge - 60, edge)).playlist;
        if (!shown) continue;
        CHECK(shown->end_msn() >= listed_to);
        listed_to = shown->end_msn();
        CHECK(shown->segments.size() == 60);
      }
      CHECK(s.epochs == 1);
      CHECK(listed_to >= end - 1);
    }
}

TEST_CASE(
    "two packagers behind one URL that take turns restart nothing, and one of them that goes on alone is believed") {
  std::mt19937 random(7);
  for (const bool is_regular : {true, false}) {
    CAPTURE(is_regular);
    TimelineFixture s;
    std::int64_t end = 300;
    s.see(live(end - 8, end, "a"));
    for (int poll = 0; poll < 600; ++poll, end += poll % 2) {
      s.clock.advance(1s);
      const bool is_second = is_regular ? poll % 2 == 0 : random() % 2 == 0;
      s.see(is_second ? live(end - 28, end - 20, "b") : live(end - 8, end, "a"));
    }
    CHECK(s.epochs <=
          (is_regular ? 1 : 6));  // 75 times the window of the source; before, each eighth response was a restart
    const auto before = s.epochs;
    for (int poll = 0; poll < 20; ++poll, end += poll % 2) {
      s.clock.advance(1s);
      s.see(live(end - 28, end - 20, "b"));
    }
    CHECK(s.epochs <= before + 1);
    const auto shown = s.see(live(end - 27, end - 19, "b")).playlist;
    REQUIRE(shown);
    CHECK(s.timeline.current().epoch != "e0");
  }
}

TEST_CASE(
    "a restart is believed within 1.5 target durations of its first response, and only its live edge is appended") {
  for (const auto listed_at_once : {1, 2, 3, 4, 60}) {
    CAPTURE(listed_at_once);
    TimelineFixture s;
    s.see(live(100, 160));
    std::int64_t end = listed_at_once;
    std::shared_ptr<const hls::Playlist> shown;
    auto waited = 0s;
    for (int poll = 0; !shown && poll < 10; ++poll) {  // every half target duration; a segment every one
      s.clock.advance(1s);
      if (poll % 2 == 1) ++end;
      shown = s.see(live(0, end, "new")).playlist;
      if (!shown) waited += 1s;
    }
    REQUIRE(shown);
    CHECK(waited <= 3s);
    CHECK(shown->media_sequence == 100 + std::min<std::int64_t>(3, end));
    CHECK(shown->end_msn() == 160 + std::min<std::int64_t>(3, end));
    const auto appended = static_cast<std::size_t>(std::min<std::int64_t>(3, end));
    CHECK(s.epoch_at(*shown, shown->segments.size() - appended - 1) == "e0");
    CHECK(s.epoch_at(*shown, shown->segments.size() - appended) == "e1");
    // The next response adds what follows.
    s.clock.advance(2s);
    CHECK(s.see(live(0, end + 1, "new")).playlist->end_msn() == 160 + std::min<std::int64_t>(3, end) + 1);
  }
}

TEST_CASE(
    "an old timeline that does not advance is never a restart, and one that has ended is after a target duration") {
  TimelineFixture s;
  s.see(live(100, 160));
  for (int poll = 0; poll < 60; ++poll) {
    s.clock.advance(1s);
    CHECK_FALSE(s.see(live(0, 5, "old")).playlist);
  }
  CHECK(s.epochs == 1);
  const auto ended = playlist_of(live_text(0, 9, "film") + "#EXT-X-ENDLIST\n");
  TimelineFixture t;
  t.see(live(100, 160));
  CHECK(t.see(ended).verdict == Verdict::unconfirmed);
  t.clock.advance(1999ms);
  CHECK(t.see(ended).verdict == Verdict::unconfirmed);
  t.clock.advance(1ms);
  const auto shown = t.see(ended);
  CHECK(shown.verdict == Verdict::restarted);
  CHECK(shown.playlist->end_msn() == 169);  // all of it
}

TEST_CASE("a few numbers back with other names is a restart") {
  TimelineFixture s;
  s.see(live(0, 5, "monday"));
  CHECK(s.see_restart(0, 3, "tuesday").verdict == Verdict::restarted);
}

TEST_CASE("reused names are a restart when the end goes back by more than a copy can lack, or for longer") {
  TimelineFixture s;
  s.see(live(0, 10));
  CHECK(s.see_restart(0, 3).verdict == Verdict::restarted);
  TimelineFixture t;
  t.see(live(0, 5));
  CHECK(t.see(live(0, 3)).verdict == Verdict::older_copy);
  t.clock.advance(5s);
  CHECK(t.see(live(0, 3)).verdict == Verdict::older_copy);
  t.clock.advance(2s);
  CHECK(t.see(live(0, 4)).verdict == Verdict::restarted);
}

TEST_CASE("the same names and numbers at another date are a restart") {
  const auto dated = [](const std::string& date, const std::string& more = "") {
    return playlist_of("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PROGRAM-DATE-TIME:" + date +
                       "\n#EXTINF:2,\na0.ts\n" + more);
  };
  TimelineFixture s;
  s.see(dated("2026-01-01T12:00:00Z"));
  CHECK(s.see(dated("2026-01-01T12:00:01Z")).verdict == Verdict::newer);
  CHECK(s.see(dated("2026-01-02T12:00:00Z")).verdict == Verdict::unconfirmed);
  CHECK(s.see(dated("2026-01-02T12:00:00Z", "#EXTINF:2,\na1.ts\n")).verdict == Verdict::restarted);
}

TEST_CASE(
    "a jump ahead by more than time allows is a restart once a second playlist confirms it, but not after a sleep") {
  TimelineFixture s;
  s.see(live(10, 15));
  s.clock.advance(2s);
  CHECK(s.see(live(5000, 5005)).verdict == Verdict::unconfirmed);
  CHECK(s.see(live(5000, 5005)).verdict == Verdict::unconfirmed);  // the same copy again
  s.clock.advance(1s);
  const auto shown = s.see(live(5001, 5006));
  CHECK(shown.verdict == Verdict::restarted);
  CHECK(shown.playlist->end_msn() == 18);  // the live edge of the new numbers
  TimelineFixture t;
  t.see(live(10, 15));
  t.clock.advance(3h);
  CHECK(t.see(live(5000, 5005)).verdict == Verdict::newer);
}

TEST_CASE("a jump ahead while the balancer was down is no error, and is shown once a second playlist confirms it") {
  TimelineFixture s;
  s.see(live(10, 15));
  s.restart_process();
  const auto outcome = s.see(live(5000, 5005));
  CHECK(outcome.verdict == Verdict::unconfirmed);
  CHECK_FALSE(outcome.playlist);
  s.clock.advance(1s);
  const auto shown = s.see(live(5001, 5006));
  CHECK(shown.verdict == Verdict::restarted);
  REQUIRE(shown.playlist);
  CHECK(shown.playlist->media_sequence >= 15);
}

TEST_CASE("a jump ahead to an unchanged playlist is confirmed by time") {
  TimelineFixture s;
  s.see(live(10, 15));
  CHECK(s.see(live(5000, 5005)).verdict == Verdict::unconfirmed);
  s.clock.advance(2s);
  CHECK(s.see(live(5000, 5005)).verdict == Verdict::restarted);
}

TEST_CASE("numbers that were enormous once are never listed, and the channel continues its own") {
  const auto enormous = live((std::int64_t{1} << 60) - 6, (std::int64_t{1} << 60) - 1);
  TimelineFixture s;
  SUBCASE("the first playlist has them") { CHECK_FALSE(s.see(enormous).playlist); }
  SUBCASE("a later playlist has them") {
    s.see(live(9, 14));
    s.clock.advance(1s);
    const auto outcome = s.see(enormous);
    CHECK(outcome.verdict == Verdict::unconfirmed);
    CHECK_FALSE(outcome.playlist);
  }
  SUBCASE("the first playlist after a restart of the balancer has them") {
    s.see(live(9, 14));
    s.restart_process();
    CHECK_FALSE(s.see(enormous).playlist);
  }
  SUBCASE("another rendition has them") {
    s.see(live(9, 14));
    const auto outcome = s.timeline.observe("w", enormous, 1, s.clock.steady_now());
    REQUIRE(outcome);
    CHECK_FALSE(outcome->playlist);
  }
  s.clock.advance(1s);
  CHECK(s.see(live(10, 15)).playlist->media_sequence == 10);
  s.restart_process();
  s.clock.advance(2s);
  CHECK(s.see(live(11, 16)).playlist->end_msn() == 16);
  CHECK(s.see_restart(0, 2).playlist->end_msn() == 18);
}

TEST_CASE("a discontinuity sequence that was enormous once is never listed") {
  TimelineFixture s;
  s.see(live(9, 14));
  s.clock.advance(3h);
  const auto huge = "#EXT-X-DISCONTINUITY-SEQUENCE:" + std::to_string((std::int64_t{1} << 60) - 1) + "\n";
  CHECK(s.see(live(5000, 5005, "seg", huge)).verdict == Verdict::unconfirmed);
  s.clock.advance(1s);
  const auto shown = s.see(live(5001, 5006));
  CHECK(shown.verdict == Verdict::newer);
  CHECK(shown.playlist->discontinuity_sequence == 0);
}

TEST_CASE(
    "numbers that stay enormous are renumbered from small ones, alike in every process, with larger numbers left") {
  const std::int64_t clock_ns = 1'100'000'000'123'456'789;
  TimelineFixture s, other;
  for (auto* scene : {&s, &other}) {
    CHECK_FALSE(scene->see(live(clock_ns, clock_ns + 5)).playlist);
    scene->clock.advance(2s);
  }
  CHECK(s.see(live(clock_ns + 1, clock_ns + 6)).playlist->media_sequence == 123'456'790);
  CHECK(other.see(live(clock_ns + 2, clock_ns + 7)).playlist->media_sequence == 123'456'791);
  s.restart_process();
  s.clock.advance(2s);
  CHECK(s.see(live(clock_ns + 3, clock_ns + 8)).playlist->end_msn() == 123'456'797);
}

TEST_CASE("a record without larger numbers left is ignored") {
  TimelineFixture s;
  s.see(live(9, 14));
  auto record = s.timeline.save_track("v", s.clock.steady_now(), s.clock.wall_now());
  auto channel = s.timeline.save_channel(s.clock.steady_now(), s.clock.wall_now());
  const auto huge = std::to_string((std::int64_t{1} << 60) - 1);
  const auto at = record.find("\"listed_to\":14");
  REQUIRE(at != std::string::npos);
  record.replace(at, 14, "\"listed_to\":" + huge);
  channel.replace(channel.find("\"forgotten_to\":0"), 16, "\"forgotten_to\":" + huge);
  channel.replace(channel.find("\"listed_to\":14"), 14, "\"listed_to\":" + huge);
  s.timeline = Timeline{[&s](std::size_t) { return "e" + std::to_string(s.epochs++); }};
  s.timeline.load_channel(channel, s.clock.steady_now(), s.clock.wall_now());
  s.timeline.load_track("v", record, s.clock.steady_now(), s.clock.wall_now());
  CHECK(s.see(live(9, 14)).verdict == Verdict::first);
  s.clock.advance(2s);
  CHECK(s.see_restart(0, 2).playlist->end_msn() == 16);
}

TEST_CASE("names that change with every refresh are no restart") {
  TimelineFixture s;
  s.see(live(0, 5, "a"));
  for (int i = 1; i < 5; ++i) {
    s.clock.advance(1s);
    s.see(live(0, 5, "b" + std::to_string(i)));
  }
  CHECK(s.epochs == 1);
}

TEST_CASE("all tracks of a channel restart into one epoch with equal numbers for equal moments") {
  TimelineFixture s;
  s.see(live(100, 105, "v"), "v");
  s.see(live(100, 106, "a"), "a");
  s.clock.advance(2s);
  const auto video = s.see_restart(0, 2, "v", "v").playlist;
  const auto still_old = s.see(live(100, 106, "a"), "a");
  CHECK(still_old.verdict == Verdict::newer);
  s.clock.advance(1s);
  const auto audio = s.see(live(0, 3, "a"), "a").playlist;
  CHECK(s.epochs == 2);
  CHECK(video->segments.back().msn == 107);  // the second of the new run
  CHECK(audio->segments.back().msn == 108);  // the third
  CHECK(video->segments.back().discontinuity_sequence == audio->segments.back().discontinuity_sequence);
  CHECK(video->segments[video->segments.size() - 3].gap);  // 105, which only the audio had
}

TEST_CASE("a track that slept through a restart joins the new epoch even when its numbers match") {
  TimelineFixture s;
  s.see(live(10, 15, "v"), "v");
  s.see(live(10, 15, "a"), "a");
  s.clock.advance(2s);
  s.see_restart(0, 2, "v", "v");
  s.clock.advance(60s);
  const auto audio = s.see(live(20, 25, "a"), "a").playlist;
  CHECK(s.epoch_at(*audio, audio->segments.size() - 1) == "e1");
  CHECK(audio->segments.back().msn == 15 + 24);
}

TEST_CASE("discontinuities that a source drops without counting are counted") {
  TimelineFixture s;
  const auto text = [](std::int64_t first, bool marked) {
    return playlist_of("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:" + std::to_string(first) + "\n" +
                       (marked ? "#EXT-X-DISCONTINUITY\n" : "") + "#EXTINF:2,\ns" + std::to_string(first) +
                       "\n#EXTINF:2,\ns" + std::to_string(first + 1) + "\n");
  };
  CHECK(s.see(text(5, true)).playlist->segments.back().discontinuity_sequence == 1);
  const auto next = s.see(text(6, false)).playlist;
  CHECK(next->discontinuity_sequence == 1);
  CHECK(next->segments.back().discontinuity_sequence == 1);
}

TEST_CASE("a window that grows backwards is cut where it began") {
  TimelineFixture s;
  s.see(live(10, 15));
  CHECK(s.see(live(8, 16)).playlist->media_sequence == 10);
}

TEST_CASE("after a restart of the balancer the numbering, the epoch and the expiries are the same") {
  TimelineFixture s;
  s.see(live(100, 105));
  s.clock.advance(2s);
  s.see_restart(0, 2);
  s.expires = 2000;
  s.clock.advance(2s);
  s.see(live(0, 3));
  s.restart_process();
  s.expires = 3000;
  s.clock.advance(2s);
  const auto outcome = s.see(live(0, 4));
  CHECK(outcome.verdict == Verdict::newer);
  CHECK(outcome.playlist->segments.back().msn == 108);
  CHECK(s.epoch_at(*outcome.playlist, outcome.playlist->segments.size() - 1) == "e1");
  CHECK(outcome.playlist->segments.back().discontinuity_sequence == 1);
  CHECK(s.timeline.expiry("v", 106) == 1000);
  CHECK(s.timeline.expiry("v", 107) == 2000);
  CHECK(s.timeline.expiry("v", 108) == 3000);
  CHECK(s.epochs == 2);
}

TEST_CASE("a source that restarted while the balancer was down is detected") {
  TimelineFixture s;
  s.see(live(100, 105));
  s.restart_process();
  s.clock.advance(30s);
  const auto outcome = s.see(live(0, 3));
  CHECK(outcome.verdict == Verdict::restarted);
  CHECK(outcome.playlist->media_sequence == 105);
  CHECK(outcome.playlist->discontinuity_sequence == 1);
  CHECK(s.epoch_at(*outcome.playlist, 0) == "e1");
}

TEST_CASE("a track that is forgotten keeps later numbers above its own, in this process and the next") {
  TimelineFixture s;
  s.see(live(100, 105, "old"), "old");
  s.see(live(0, 5, "v"), "v");
  s.timeline.forget("old");
  s.restart_process();
  s.clock.advance(2s);
  CHECK(s.see(live(0, 2, "w"), "v").playlist->segments.back().msn == 106);
}

TEST_CASE("after the end of a playlist none of its segments are joined to the next run") {
  TimelineFixture s;
  const std::string end = "#EXT-X-ENDLIST\n";
  s.see(playlist_of(live_text(0, 5, "monday") + end));
  s.clock.advance(1h);
  const auto shown = s.see_restart(0, 2, "tuesday").playlist;
  CHECK(shown->media_sequence == 5);
  CHECK(shown->segments.size() == 2);
  CHECK(shown->discontinuity_sequence == 1);
}

TEST_CASE("an ended track can get a new expiry") {
  TimelineFixture s;
  s.see(live(10, 15));
  CHECK(s.timeline.expiry("v", 12) == 1000);
  s.timeline.renew("v", 5000);
  CHECK(s.timeline.expiry("v", 10) == 5000);
}

TEST_CASE("the pace of a segment's links is fixed when it is listed, also across a restart of the balancer") {
  TimelineFixture s;
  s.see(live(10, 15));
  s.pace = 4'000;
  s.see(live(11, 16));
  s.restart_process();
  s.pace = 6'000;
  s.see(live(12, 17));
  CHECK(s.timeline.pace_kbps("v", 14) == 0);
  CHECK(s.timeline.pace_kbps("v", 15) == 4'000);
  CHECK(s.timeline.pace_kbps("v", 16) == 6'000);
  CHECK(s.timeline.expiry("v", 16) == 1000);
}

TEST_CASE("damaged records are ignored") {
  TimelineFixture s;
  s.see(live(100, 105));
  const auto record = s.timeline.save_track("v", s.clock.steady_now(), s.clock.wall_now());
  const auto channel = s.timeline.save_channel(s.clock.steady_now(), s.clock.wall_now());
  for (std::size_t length = 0; length < record.size(); ++length) {
    Timeline timeline{[](std::size_t) { return std::string("x"); }};
    timeline.load_channel(channel.substr(0, length), s.clock.steady_now(), s.clock.wall_now());
    timeline.load_track("v", record.substr(0, length), s.clock.steady_now(), s.clock.wall_now());
    CHECK(timeline.observe("v", live(0, 3), 1, s.clock.steady_now())->verdict == Verdict::first);
  }
}

TEST_CASE("parts that vanish are an older copy") {
  TimelineFixture s;
  const std::string parts = "#EXT-X-PART:DURATION=1,URI=\"p0\"\n";
  s.see(playlist_of(live_text(10, 15) + parts));
  CHECK(s.see(live(10, 15)).verdict == Verdict::older_copy);
  CHECK(s.see(live(10, 16)).verdict == Verdict::newer);
}

TEST_CASE("a playlist without segments is an error") {
  TimelineFixture s;
  const auto outcome =
      s.timeline.observe("v", playlist_of("#EXTM3U\n#EXT-X-TARGETDURATION:2\n"), 1, s.clock.steady_now());
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().fault == base::Fault::origin);
}
