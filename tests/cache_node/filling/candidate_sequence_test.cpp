#include "cache_node/filling/candidate_sequence.h"

#include <doctest/doctest.h>

#include "support/scripted.h"

using namespace tribune;
using namespace tribune::cache_node;
using namespace std::chrono_literals;

namespace {

FillCandidate named(std::string name) {
  FillCandidate place;
  place.name = std::move(name);
  return place;
}

struct Fixture {
  base::Log log{testing::silent()};
  base::Metrics metrics;
  base::ManualClock clock;
  Circuits circuits{log, metrics};
  FillSettings settings;
  const std::vector<FillCandidate> places{named("peer a"), named("peer b"), named("http://origin")};
  CandidateSequence turns{places, circuits, clock, settings};

  void open(const FillCandidate& place) {
    for (int i = 0; i < place.circuit.failures; ++i)
      circuits.failed(place.name, place.circuit, clock.steady_now(), "refused");
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "places that are left alone are passed over") {
  open(places[0]);
  open(places[1]);
  REQUIRE(turns.find_one_to_ask());
  CHECK(turns.place().name == "http://origin");
  CHECK(turns.number() == 2);
  CHECK_FALSE(turns.has_next());
  open(places[2]);
  CHECK_FALSE(turns.find_one_to_ask());
  CHECK(turns.place().name == "http://origin");
}

TEST_CASE_FIXTURE(Fixture, "what a place fails at opens its circuit, and what it answers closes it") {
  for (int i = 0; i + 1 < places[0].circuit.failures; ++i) turns.failed("refused");
  turns.answered();
  turns.failed("refused");
  CHECK_FALSE(circuits.is_open("peer a"));
  open(places[0]);
  REQUIRE(turns.find_one_to_ask());
  CHECK(turns.place().name == "peer b");
}

TEST_CASE("the places of the last resort are asked once it began, or when all others are left alone") {
  Fixture f;
  auto behind = named("peer z");
  behind.is_last_resort = true;
  const std::vector<FillCandidate> places{named("http://origin"), behind};
  CandidateSequence turns{places, f.circuits, f.clock, f.settings};
  CHECK_FALSE(turns.has_next());
  REQUIRE(turns.begin_last_resort());
  CHECK(turns.has_next());
  CHECK_FALSE(turns.begin_last_resort());

  f.open(places[0]);
  CandidateSequence left_alone{places, f.circuits, f.clock, f.settings};
  REQUIRE(left_alone.find_one_to_ask());
  CHECK(left_alone.place().name == "peer z");
  CHECK(left_alone.is_last_resort());
}

TEST_CASE_FIXTURE(Fixture, "pauses double until the hold is over") {
  CHECK(turns.next_pause() == 100ms);
  clock.advance(100ms);
  CHECK(turns.next_pause() == 200ms);
  clock.advance(200ms);
  CHECK(turns.next_pause() == 400ms);
  clock.advance(400ms);
  CHECK_FALSE(turns.next_pause().has_value());
}

TEST_CASE_FIXTURE(
    Fixture, "a node that waits is asked again for as long as it may ask itself, and errors are tried again once") {
  CHECK(turns.waits_for_node());
  clock.advance(settings.hold + 2 * (settings.deadlines.connect + settings.deadlines.first_byte));
  CHECK_FALSE(turns.waits_for_node());
  CHECK(turns.may_retry());
  CHECK_FALSE(turns.may_retry());
}

TEST_CASE_FIXTURE(Fixture,
                  "what is told of a place that is left alone is what it did last: nothing, or what cannot be used") {
  turns.failed("refused");
  CHECK_FALSE(turns.answers_badly());
  turns.failed("the head was cut", true);
  CHECK(turns.answers_badly());
  turns.failed("refused");
  CHECK_FALSE(turns.answers_badly());
}
