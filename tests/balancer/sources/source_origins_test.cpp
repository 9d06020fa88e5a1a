#include "balancer/sources/source_origins.h"

#include <doctest/doctest.h>

#include "base/clock.h"

using namespace tribune;
using namespace std::chrono_literals;
using balancer::SourceOrigins;
using Failure = SourceOrigins::Failure;

TEST_CASE("the first healthy origin is chosen") {
  base::ManualClock clock;
  SourceOrigins origins(3);
  CHECK(origins.choice() == 0);
  CHECK_FALSE(origins.failed(0, Failure::immediate, clock.steady_now()));
  CHECK(origins.choice() == 0);
  CHECK(origins.failed(0, Failure::immediate, clock.steady_now()));
  CHECK(origins.choice() == 1);
  CHECK(origins.failed(1, Failure::delayed, clock.steady_now()));
  CHECK(origins.choice() == 2);
}

TEST_CASE("one failure between good responses changes nothing") {
  base::ManualClock clock;
  SourceOrigins origins(2);
  for (int i = 0; i < 5; ++i) {
    CHECK_FALSE(origins.failed(0, Failure::immediate, clock.steady_now()));
    CHECK_FALSE(origins.succeeded(0));
  }
  CHECK(origins.choice() == 0);
}

TEST_CASE("an origin that was left is probed after its back-off, which doubles up to a bound") {
  base::ManualClock clock;
  SourceOrigins origins(2);
  origins.failed(0, Failure::delayed, clock.steady_now());
  CHECK_FALSE(origins.probe_due(clock.steady_now()));
  auto rest = SourceOrigins::kFirstBackOff;
  for (int i = 0; i < 8; ++i) {
    clock.advance(rest - 1s);
    CHECK_FALSE(origins.probe_due(clock.steady_now()));
    clock.advance(1s);
    CHECK(origins.probe_due(clock.steady_now()) == 0);
    CHECK_FALSE(origins.probe_due(clock.steady_now()));  // a probe is running
    CHECK_FALSE(origins.failed(0, Failure::immediate, clock.steady_now()));
    rest = std::min(2 * rest, SourceOrigins::kMaxBackOff);
  }
  clock.advance(rest);
  REQUIRE(origins.probe_due(clock.steady_now()) == 0);
  CHECK(origins.succeeded(0));
  CHECK(origins.choice() == 0);
}

TEST_CASE("when no origin is healthy the one that backed off longest is chosen, and none is probed") {
  base::ManualClock clock;
  SourceOrigins origins(2);
  origins.failed(0, Failure::delayed, clock.steady_now());
  clock.advance(1s);
  origins.failed(1, Failure::delayed, clock.steady_now());
  CHECK(origins.choice() == 0);
  clock.advance(5s);
  origins.failed(0, Failure::immediate, clock.steady_now());
  CHECK(origins.choice() == 1);
}

TEST_CASE("a channel with one origin always uses it") {
  base::ManualClock clock;
  SourceOrigins origins(1);
  for (int i = 0; i < 5; ++i) origins.failed(0, Failure::delayed, clock.steady_now());
  CHECK(origins.choice() == 0);
  CHECK_FALSE(origins.probe_due(clock.steady_now() + 1h));
}
