#include "balancer/slate/slate_transitions.h"

#include <doctest/doctest.h>

#include <filesystem>

#include <fmt/format.h>
#include <unistd.h>

#include "balancer/slate/slates.h"
#include "balancer/tables.h"
#include "support/silent_log.h"

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;

namespace {

struct TransitionsDisk {
  std::filesystem::path folder = std::filesystem::temp_directory_path() / fmt::format("turn_book_test_{}", ::getpid());
  base::Log log{test::silent()};
  base::Metrics metrics;
  ~TransitionsDisk() { std::filesystem::remove_all(folder); }
  std::unique_ptr<store::Store> open() {
    auto store = store::Store::open({folder.string(), {std::string(kTransitionsTable)}, 1 << 24, 1ms, "test 1"}, log);
    REQUIRE(store);
    return std::move(*store);
  }
};

const SlateTransitionRecord kRecord{{1'001, 505, 334, 7}, contracts::LinksMode::direct};

}  // namespace

TEST_CASE("a transition is read as it was written, and a malformed one is refused") {
  CHECK(transition_from_text(to_text(kRecord)) == kRecord);
  for (const auto* bad : {"", "1 2 3 4 5", "2 1 2 3 4 direct", "1 -1 2 3 4 direct", "1 1 2 3 4 5 direct"})
    CHECK_FALSE(transition_from_text(bad));
}

TEST_CASE("the first transition of a viewer is kept, and is in force once it is on disk") {
  TransitionsDisk disk;
  base::ManualClock clock;
  auto store = disk.open();
  SlateTransitions transitions(clock, disk.metrics);
  REQUIRE(transitions.load(*store));
  CHECK_FALSE(transitions.find(7));
  transitions.begin(7, kRecord);
  CHECK(transitions.begin(7, SlateTransitionRecord{}).record == kRecord);
  REQUIRE(store->flush());
  REQUIRE(transitions.find(7));
  CHECK(transitions.find(7)->is_in_force);
  CHECK(transitions.find(7)->record == kRecord);
}

TEST_CASE("transitions survive the process until their viewers are gone") {
  TransitionsDisk disk;
  base::ManualClock clock;
  {
    auto store = disk.open();
    SlateTransitions transitions(clock, disk.metrics);
    REQUIRE(transitions.load(*store));
    transitions.begin(7, kRecord);
    transitions.begin(8, kRecord);
  }
  {
    auto store = disk.open();
    SlateTransitions transitions(clock, disk.metrics);
    REQUIRE(transitions.load(*store));
    CHECK(transitions.size() == 2);
    REQUIRE(transitions.find(7));
    CHECK(transitions.find(7)->is_in_force);
    clock.advance(kTransitionLifetime - 1s);
    CHECK(transitions.find(7));
    clock.advance(1s);
    for (int i = 0; i < 8; ++i) transitions.sweep({});
    CHECK(transitions.size() == 1);
  }
  auto store = disk.open();
  SlateTransitions transitions(clock, disk.metrics);
  REQUIRE(transitions.load(*store));
  CHECK(transitions.size() == 1);
  CHECK_FALSE(transitions.find(8));
}

TEST_CASE("a transition is kept as long as its viewer's session can last, also across a restart") {
  TransitionsDisk disk;
  base::ManualClock clock;
  const auto sweep = [](SlateTransitions& transitions) {
    for (int i = 0; i < 8; ++i) transitions.sweep({});
  };
  {
    auto store = disk.open();
    SlateTransitions transitions(clock, disk.metrics);
    REQUIRE(transitions.load(*store));
    transitions.begin(7, kRecord);
    clock.advance(48h);
    sweep(transitions);
    CHECK(transitions.size() == 1);
  }
  auto store = disk.open();
  SlateTransitions transitions(clock, disk.metrics);
  REQUIRE(transitions.load(*store));
  clock.advance(48h);
  sweep(transitions);
  REQUIRE(transitions.find(7));
  CHECK(transitions.find(7)->record == kRecord);
}

TEST_CASE("the number of transitions is bounded: the least recently seen is evicted, on disk too, and counted") {
  TransitionsDisk disk;
  base::ManualClock clock;
  std::size_t left = 0;
  {
    auto store = disk.open();
    SlateTransitions transitions(clock, disk.metrics, 128);
    REQUIRE(transitions.load(*store));
    for (contracts::SessionId id = 1; id <= 2'000; ++id) {
      transitions.begin(id, kRecord);
      transitions.find(1);
    }
    left = transitions.size();
    CHECK(left <= 128);
    CHECK(transitions.find(1));
    CHECK(transitions.find(2'000));
    CHECK(disk.metrics.scrape().find("tribune_balancer_turns_given_up_total " + std::to_string(2'000 - left)) !=
          std::string::npos);
  }
  auto store = disk.open();
  SlateTransitions transitions(clock, disk.metrics, 128);
  REQUIRE(transitions.load(*store));
  CHECK(transitions.size() == left);
}

TEST_CASE("the slates' time follows the wall clock forward and never goes back, not even at a restart") {
  TransitionsDisk disk;
  base::ManualClock clock;
  base::Metrics metrics;
  const auto texts = std::make_shared<RenderedPlaylists>(clock, metrics, kRenderedBytes);
  Slates before(clock, disk.log, metrics, texts);
  const auto start = before.now();
  clock.step_wall(-1h);
  clock.advance(5s);
  CHECK(before.now() == start + 5s);
  CHECK(before.ahead() == 1h);
  clock.step_wall(1h + 60s);  // as on other balancers
  CHECK(before.now() == clock.wall_now());
  CHECK(before.ahead() == 0s);
  clock.step_wall(-1min);
  clock.advance(5s);
  CHECK(before.now() == start + 70s);
  CHECK(before.ahead() == 1min);
  {
    auto store = disk.open();
    SlateTransitions transitions(clock, disk.metrics);
    REQUIRE(transitions.load(*store));
    transitions.sweep({before.now(), before.ahead()});
  }
  for (const auto step : {0h, -3h, 1h}) {
    base::ManualClock later(clock.wall_now() + step);
    auto store = disk.open();
    SlateTransitions transitions(later, disk.metrics);
    const auto reached = transitions.load(*store);
    REQUIRE(reached);
    REQUIRE(*reached);
    Slates after(later, disk.log, metrics, texts);
    after.continue_from(**reached);
    CHECK(after.now() >= before.now());
    if (step == 0h) CHECK(after.now() == before.now());
    if (step == 1h) CHECK(after.now() == later.wall_now());  // it was down for longer than it was ahead
  }
}
