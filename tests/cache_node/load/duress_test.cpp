#include "cache_node/load/duress.h"

#include <doctest/doctest.h>

using namespace tribune;
using namespace tribune::cache_node;
using namespace std::chrono_literals;

TEST_CASE("a node near its capacity divides it evenly, and stops only after ten seconds of lower load") {
  Duress duress;
  base::SteadyTime now{};
  const auto beat = [&](double mbps, std::int64_t viewers, std::chrono::seconds later) {
    duress.update(mbps, 1'000, viewers, now += later);
  };
  CHECK_FALSE(duress.fair_kbps());
  beat(899, 400, 1s);
  CHECK_FALSE(duress.fair_kbps());
  beat(900, 400, 1s);
  CHECK(duress.fair_kbps() == 2'500);
  beat(850, 500, 1s);
  CHECK(duress.fair_kbps() == 2'000);
  beat(300, 500, 9s);
  CHECK(duress.fair_kbps() == 2'000);
  beat(800, 500, 1s);
  beat(300, 500, 9s);
  CHECK(duress.fair_kbps() == 2'000);
  beat(300, 500, 1s);
  CHECK_FALSE(duress.fair_kbps());
  beat(850, 500, 1s);
  CHECK_FALSE(duress.fair_kbps());
}

TEST_CASE("the rate stays within its bounds for any number of viewers") {
  Duress duress;
  duress.update(1, 1, 1'000'000, base::SteadyTime{1s});
  CHECK(duress.fair_kbps() == 1);
  duress.update(1e7, 1e7, 0, base::SteadyTime{2s});
  CHECK(duress.fair_kbps() == 4'000'000'000u);
}
