#include "base/settled_wall_clock.h"

#include <doctest/doctest.h>

using namespace tribune;
using namespace std::chrono_literals;
using base::SettledWallClock;

namespace {

/// Lets time pass with an observation each second; returns after how many seconds the first one was true, 0 for none.
int observe_for(base::ManualClock& clock, SettledWallClock& settled, int seconds) {
  int first = 0;
  for (int second = 1; second <= seconds; ++second) {
    clock.advance(1s);
    if (settled.observe() && first == 0) first = second;
  }
  return first;
}

}  // namespace

TEST_CASE("a wall time has its steady time, and a step of the wall clock that lasts moves it") {
  for (const auto step : {25s, -25s, 3600s, -86400s}) {
    CAPTURE(step.count());
    base::ManualClock clock;
    SettledWallClock settled(clock);
    const auto promise = clock.wall_now() + 2min;
    CHECK(settled.when(promise) == clock.steady_now() + 2min);
    CHECK(observe_for(clock, settled, 60) == 0);
    clock.step_wall(step);
    CHECK(observe_for(clock, settled, 30) == 11);  // seen after a second, and ten seconds later
    CHECK(settled.when(promise) == base::SteadyTime{2min} - step);
    CHECK(observe_for(clock, settled, 60) == 0);
  }
}

TEST_CASE("a step that is taken back within ten seconds, and small corrections, move nothing") {
  base::ManualClock clock;
  SettledWallClock settled(clock);
  const auto promise = clock.wall_now() + 1h;
  const auto at = settled.when(promise);
  for (const auto step : {1h, -1h, 400h}) {
    clock.step_wall(step);
    CHECK(observe_for(clock, settled, 10) == 0);
    clock.step_wall(-step);
    CHECK(observe_for(clock, settled, 30) == 0);
  }
  clock.step_wall(500ms);
  CHECK(observe_for(clock, settled, 30) == 0);
  CHECK(settled.when(promise) == at);
  clock.step_wall(1ms);
  CHECK(observe_for(clock, settled, 30) == 11);
}

TEST_CASE("a clock that keeps stepping settles where it stops") {
  base::ManualClock clock;
  SettledWallClock settled(clock);
  for (int i = 0; i < 20; ++i) {
    clock.step_wall(5s);
    CHECK(observe_for(clock, settled, 3) == 0);
  }
  CHECK(observe_for(clock, settled, 30) > 0);
  CHECK(settled.when(clock.wall_now()) == clock.steady_now());
}
