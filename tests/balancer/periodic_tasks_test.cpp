#include "balancer/periodic_tasks.h"

#include <doctest/doctest.h>

using namespace tribune;
using namespace std::chrono_literals;

TEST_CASE("routing remembers a session for twice its idle time, and for at least one minute") {
  CHECK(balancer::routing_memory(10s) == 60s);
  CHECK(balancer::routing_memory(30s) == 60s);
  CHECK(balancer::routing_memory(1h) == 2h);
}
