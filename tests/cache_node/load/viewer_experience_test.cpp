#include "cache_node/load/viewer_experience.h"

#include <doctest/doctest.h>

#include "cache_node/node_under_test.h"
#include "support/folder.h"

using namespace tribune;
using namespace tribune::cache_node;
using namespace tribune::test;
using namespace std::chrono_literals;

TEST_CASE("a window holds the counts of its last ten seconds") {
  ViewerExperienceWindow window;
  base::SteadyTime now{};
  contracts::NodeExperience counted;
  CHECK(window.advance(now, counted).requests == 0);
  for (int second = 1; second <= 30; ++second) {
    counted.requests += 10;
    counted.failures += second <= 5 ? 4 : 0;
    now += 1s;
    const auto met = window.advance(now, counted);
    if (second == 5) CHECK(met.failures == 20);
    if (second >= 10) CHECK(met.requests == 100);
    if (second == 12) CHECK(met.failures == 12);
    if (second >= 15) CHECK(met.failures == 0);
  }
  now += 60s;  // the process was suspended
  CHECK(window.advance(now, counted).failures == 0);
}

TEST_CASE("failures are counted by their cause, and requests of other nodes are not counted") {
  Folder folder;
  NodeUnderTest::Options options;
  options.fill.hold = 0ms;
  NodeUnderTest node(folder.path(), options);
  node.fill("seg1.ts", "bytes");
  const auto broken = node.ask("seg2.ts");
  node.workers.on(0, [&, asked = node.origin(1)] {
    ScriptedClient::head(*asked, 500, {}, 0);
    ScriptedClient::done(*asked);
  });
  REQUIRE(broken->wait_end());
  const auto met = experience_so_far(node.node_metrics, node.fill_metrics);
  CHECK(met.requests == 2);
  CHECK(met.failures == 1);
  CHECK(met.failures_by_origin == 1);
  CHECK(met.failures_by_origin_status == 1);
  CHECK(met.origin_asks == 2);
  CHECK(met.origin_failures == 0);  // the origin sent a response
  CHECK(met.peer_asks == 0);
}
