// Fail-over to an origin whose names mean other files than those of the source.
#include <doctest/doctest.h>

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

/// Segments of 2 s, the first one at 12:00:00 plus `second`, which is at most 40.
hls::Playlist begun_at(std::int64_t first, std::int64_t end, int second) {
  std::string tags = "#EXT-X-PROGRAM-DATE-TIME:2026-06-01T12:00:" + std::string(second < 10 ? "0" : "") +
                     std::to_string(second) + "Z\n";
  return live(first, end, "seg", tags);
}

struct DistrustedOrigin {
  base::ManualClock clock;
  int epochs = 0;
  Timeline timeline{[this](std::size_t) { return "e" + std::to_string(epochs++); }};
  std::int64_t listed_to = 0;

  DistrustedOrigin() { timeline.distrust({1}); }
  Timeline::Outcome see(const hls::Playlist& source, std::size_t origin, const std::string& track = "v") {
    auto outcome = timeline.observe(track, source, 1000, clock.steady_now(), {}, origin);
    if (!outcome) FAIL(outcome.error().text);
    clock.advance(2s);
    if (outcome->playlist) {
      CHECK(outcome->playlist->end_msn() >= listed_to);
      listed_to = outcome->playlist->end_msn();
    }
    return *outcome;
  }
  const balancer::Generation& newest_of(const Timeline::Outcome& outcome) {
    REQUIRE(outcome.playlist);
    return timeline.generation(outcome.playlist->segments.back().generation);
  }
  static bool has_discontinuity(const Timeline::Outcome& outcome) {
    REQUIRE(outcome.playlist);
    return hls::write(*outcome.playlist, {}).find("EXT-X-DISCONTINUITY\n") != std::string::npos;
  }
};

}  // namespace

TEST_CASE_FIXTURE(DistrustedOrigin, "the same names and numbers at a distrusted origin are another epoch") {
  see(live(10, 15), 0);
  const auto shown = see(live(11, 16), 1);
  CHECK(shown.verdict == Verdict::restarted);
  CHECK(newest_of(shown).origin == 1);
  CHECK(newest_of(shown).epoch == "e1");
  CHECK(has_discontinuity(shown));
  CHECK(shown.playlist->end_msn() == 18);  // the live edge of three target durations

  SUBCASE("in which its playlist continues") {
    const auto next = see(live(12, 17), 1);
    CHECK(next.verdict == Verdict::newer);
    CHECK(epochs == 2);
    CHECK(next.playlist->end_msn() == 19);
  }
  SUBCASE("which another rendition joins") { CHECK(newest_of(see(live(11, 16), 1, "w")).epoch == "e1"); }
  SUBCASE("and so is the return to the source") {
    const auto back = see(live(12, 17), 0);
    CHECK(back.verdict == Verdict::restarted);
    CHECK(newest_of(back).origin == 0);
    CHECK(newest_of(back).epoch == "e2");
    CHECK(has_discontinuity(back));
  }
  SUBCASE("and the return needs no trust in between") {
    timeline.distrust({});
    CHECK(see(live(12, 17), 1).verdict == Verdict::newer);
    CHECK(epochs == 2);
  }
  SUBCASE("also after a restart of the process") {
    Timeline next{[this](std::size_t) { return "e" + std::to_string(epochs++); }};
    restart(timeline, next, clock, {"v"});
    timeline = std::move(next);
    timeline.distrust({1});
    CHECK(see(live(12, 17), 1).verdict == Verdict::newer);
    CHECK(newest_of(see(live(13, 18), 0)).origin == 0);
  }
}

TEST_CASE_FIXTURE(DistrustedOrigin, "an origin that is distrusted while it is in use opens an epoch of its own") {
  timeline.distrust({});
  see(live(10, 15), 0);
  CHECK(see(live(11, 16), 1).verdict == Verdict::newer);
  timeline.distrust({1});
  const auto shown = see(live(12, 17), 1);
  CHECK(shown.verdict == Verdict::restarted);
  CHECK(newest_of(shown).origin == 1);
  CHECK(see(live(13, 18), 1).verdict == Verdict::newer);
  CHECK(epochs == 2);
}

TEST_CASE_FIXTURE(DistrustedOrigin,
                  "dates that overlap continue the numbers without a discontinuity, and names do not") {
  see(begun_at(10, 15, 0), 0);
  SUBCASE("the dates overlap") {
    const auto shown = see(begun_at(10, 15, 4), 1);  // two segments later
    CHECK(shown.playlist->end_msn() == 17);
    CHECK_FALSE(has_discontinuity(shown));
    CHECK(newest_of(shown).origin == 1);
  }
  SUBCASE("the dates follow directly") {
    const auto shown = see(begun_at(10, 15, 10), 1);
    CHECK(shown.playlist->end_msn() == 20);
    CHECK_FALSE(has_discontinuity(shown));
  }
  SUBCASE("the dates follow after a hole") {
    const auto shown = see(begun_at(10, 15, 14), 1);
    CHECK(shown.playlist->end_msn() == 22);
    CHECK(hls::write(*shown.playlist, {}).find("EXT-X-GAP") != std::string::npos);
  }
  SUBCASE("the names overlap") { CHECK(has_discontinuity(see(live(14, 19), 1))); }
  SUBCASE("the names follow after a hole") { CHECK(has_discontinuity(see(live(17, 22), 1))); }
}

TEST_CASE_FIXTURE(DistrustedOrigin, "a distrusted origin that has nothing new for viewers is waited for") {
  see(begun_at(10, 15, 0), 0);
  CHECK(see(begun_at(7, 12, 0), 1).verdict == Verdict::older_copy);
  CHECK(newest_of(see(begun_at(8, 13, 2), 1)).origin == 1);
}

TEST_CASE_FIXTURE(DistrustedOrigin, "a channel that begins at a distrusted origin has one epoch, named there") {
  const auto first = see(live(10, 15), 1);
  CHECK(first.verdict == Verdict::first);
  CHECK(newest_of(first).origin == 1);
  CHECK(see(live(11, 16), 1).verdict == Verdict::newer);
  const auto other = see(live(11, 16), 1, "w");
  CHECK(other.verdict == Verdict::first);
  CHECK(newest_of(other).epoch == newest_of(first).epoch);
}

TEST_CASE_FIXTURE(DistrustedOrigin,
                  "a rendition that is first requested after the fail-over does not join the source's epoch") {
  see(live(10, 15), 0);
  const auto shown = see(live(3, 8), 1, "w");
  CHECK(newest_of(shown).origin == 1);
  CHECK(newest_of(shown).epoch == "e1");
  CHECK(shown.playlist->segments.front().msn >= 15);
}

TEST_CASE_FIXTURE(DistrustedOrigin, "a change between trusted origins is judged by the names as before") {
  see(live(10, 15), 0);
  CHECK(see(live(11, 16), 2).verdict == Verdict::newer);
  CHECK(see(live(12, 17), 0).verdict == Verdict::newer);
  CHECK(newest_of(see(live(13, 18), 1)).origin == 1);
  CHECK(newest_of(see(live(14, 19), 2)).origin == 0);
  CHECK(see(live(15, 20), 0).verdict == Verdict::newer);
  CHECK(epochs == 3);
}
