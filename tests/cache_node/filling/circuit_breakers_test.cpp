#include "cache_node/filling/circuit_breakers.h"

#include <doctest/doctest.h>

#include "support/silent_log.h"

using namespace tribune;
using namespace tribune::cache_node;
using namespace std::chrono_literals;

namespace {

struct CircuitBreakersFixture {
  base::Log log{test::silent()};
  base::Metrics metrics;
  Circuits circuits{log, metrics};
  const CircuitSettings settings{3, 1'000ms};
  base::SteadyTime now{1h};

  void fail(int times) {
    for (int i = 0; i < times; ++i) circuits.failed("http://origin", settings, now, "refused");
  }
};

}  // namespace

TEST_CASE_FIXTURE(CircuitBreakersFixture, "only consecutive failures open a circuit") {
  fail(2);
  circuits.succeeded("http://origin");
  fail(2);
  CHECK(circuits.may_request("http://origin", now));
  fail(1);
  CHECK(circuits.is_open("http://origin"));
  CHECK_FALSE(circuits.may_request("http://origin", now + 999ms));
  CHECK(circuits.may_request("http://other", now));
}

TEST_CASE_FIXTURE(CircuitBreakersFixture, "after its rest a circuit allows one request, whose result decides") {
  fail(3);
  now += 1'000ms;
  CHECK(circuits.may_request("http://origin", now));
  CHECK_FALSE(circuits.may_request("http://origin", now));
  fail(1);
  CHECK_FALSE(circuits.may_request("http://origin", now + 999ms));
  now += 1'000ms;
  CHECK(circuits.may_request("http://origin", now));
  circuits.succeeded("http://origin");
  CHECK(circuits.may_request("http://origin", now));
  CHECK_FALSE(circuits.is_open("http://origin"));
}

TEST_CASE_FIXTURE(CircuitBreakersFixture, "a trial request without a result does not keep the circuit open forever") {
  fail(3);
  CHECK(circuits.may_request("http://origin", now + 1'000ms));
  CHECK_FALSE(circuits.may_request("http://origin", now + 1'999ms));
  CHECK(circuits.may_request("http://origin", now + 2'000ms));
}
