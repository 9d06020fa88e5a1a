#include "cache_node/filling/candidate_sequence.h"

#include <doctest/doctest.h>

#include "support/silent_log.h"

using namespace tribune;
using namespace tribune::cache_node;
using namespace std::chrono_literals;

namespace {

FillCandidate named(std::string name) {
  FillCandidate candidate;
  candidate.name = std::move(name);
  return candidate;
}

struct CandidateSequenceFixture {
  base::Log log{test::silent()};
  base::Metrics metrics;
  base::ManualClock clock;
  Circuits circuits{log, metrics};
  FillSettings settings;
  const std::vector<FillCandidate> candidates{named("peer a"), named("peer b"), named("http://origin")};
  CandidateSequence sequence{candidates, circuits, clock, settings};

  void open(const FillCandidate& candidate) {
    for (int i = 0; i < candidate.circuit.failures; ++i)
      circuits.failed(candidate.name, candidate.circuit, clock.steady_now(), "refused");
  }
};

}  // namespace

TEST_CASE_FIXTURE(CandidateSequenceFixture, "candidates with open circuits are skipped") {
  open(candidates[0]);
  open(candidates[1]);
  REQUIRE(sequence.skip_open_circuits());
  CHECK(sequence.current().name == "http://origin");
  CHECK(sequence.number() == 2);
  CHECK_FALSE(sequence.has_next());
  open(candidates[2]);
  CHECK_FALSE(sequence.skip_open_circuits());
  CHECK(sequence.current().name == "http://origin");
}

TEST_CASE_FIXTURE(CandidateSequenceFixture, "failures of a candidate open its circuit, and a response closes it") {
  for (int i = 0; i + 1 < candidates[0].circuit.failures; ++i) sequence.failed("refused");
  sequence.answered();
  sequence.failed("refused");
  CHECK_FALSE(circuits.is_open("peer a"));
  open(candidates[0]);
  REQUIRE(sequence.skip_open_circuits());
  CHECK(sequence.current().name == "peer b");
}

TEST_CASE("the last resort is used after it was begun, or when the circuits of all others are open") {
  CandidateSequenceFixture f;
  auto behind = named("peer z");
  behind.is_last_resort = true;
  const std::vector<FillCandidate> candidates{named("http://origin"), behind};
  CandidateSequence sequence{candidates, f.circuits, f.clock, f.settings};
  CHECK_FALSE(sequence.has_next());
  REQUIRE(sequence.begin_last_resort());
  CHECK(sequence.has_next());
  CHECK_FALSE(sequence.begin_last_resort());

  f.open(candidates[0]);
  CandidateSequence left_alone{candidates, f.circuits, f.clock, f.settings};
  REQUIRE(left_alone.skip_open_circuits());
  CHECK(left_alone.current().name == "peer z");
  CHECK(left_alone.is_last_resort());
}

TEST_CASE_FIXTURE(CandidateSequenceFixture, "the retry delay doubles until the hold ends") {
  CHECK(sequence.next_retry_delay() == 100ms);
  clock.advance(100ms);
  CHECK(sequence.next_retry_delay() == 200ms);
  clock.advance(200ms);
  CHECK(sequence.next_retry_delay() == 400ms);
  clock.advance(400ms);
  CHECK_FALSE(sequence.next_retry_delay().has_value());
}

TEST_CASE_FIXTURE(CandidateSequenceFixture,
                  "a waiting node is asked again for as long as it may itself wait, and an error is retried once") {
  CHECK(sequence.waits_for_node());
  clock.advance(settings.hold + 2 * (settings.deadlines.connect + settings.deadlines.first_byte));
  CHECK_FALSE(sequence.waits_for_node());
  CHECK(sequence.may_retry());
  CHECK_FALSE(sequence.may_retry());
}

TEST_CASE_FIXTURE(CandidateSequenceFixture,
                  "whether a candidate sent an unusable response depends on its last failure") {
  sequence.failed("refused");
  CHECK_FALSE(sequence.sent_unusable_response());
  sequence.failed("the head was cut", true);
  CHECK(sequence.sent_unusable_response());
  sequence.failed("refused");
  CHECK_FALSE(sequence.sent_unusable_response());
}
