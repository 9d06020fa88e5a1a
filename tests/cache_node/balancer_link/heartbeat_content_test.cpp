#include "cache_node/balancer_link/heartbeat_content.h"

#include <doctest/doctest.h>

#include "cache_node/node_under_test.h"
#include "support/folder.h"

using namespace tribune;
using namespace tribune::cache_node;
using namespace tribune::test;

namespace {
struct HeartbeatContentFixture {
  Folder folder;
  NodeUnderTest node{folder.path()};
  base::ManualClock clock;
  HeartbeatContent content = make(&node.files);

  HeartbeatContent make(const ObjectFiles* files) {
    return HeartbeatContent({clock, node.metrics, "1.2.3", node.view, node.index, files, node.node_metrics,
                             node.other_node_metrics, node.fill_metrics, node.traffic, node.origin_answers,
                             node.viewers, node.duress});
  }
};
}  // namespace

TEST_CASE_FIXTURE(HeartbeatContentFixture,
                  "the first heartbeat has no rate; later ones report the bytes sent since the previous one") {
  node.node_metrics.sent_bytes.add(1'000'000);
  node.traffic.of("demo") += 1'000'000;
  const auto first = content.next("");
  CHECK(first.version == "1.2.3");
  CHECK(first.sent_mbps == 0);
  node.node_metrics.sent_bytes.add(1'000'000);
  node.other_node_metrics.sent_bytes.add(500'000);
  node.traffic.of("demo") += 1'000'000;
  clock.advance(std::chrono::seconds(2));
  const auto second = content.next("");
  CHECK(second.sent_mbps == doctest::Approx(6));
  REQUIRE(second.channel_mbps);
  REQUIRE(second.channel_mbps->size() == 1);
  CHECK(second.channel_mbps->front().first == "demo");
  CHECK(second.channel_mbps->front().second == doctest::Approx(4));
  clock.advance(std::chrono::seconds(1));
  CHECK(content.next("").sent_mbps == 0);
}

TEST_CASE_FIXTURE(HeartbeatContentFixture, "two heartbeats at the same time report a rate of zero") {
  content.next("");
  node.node_metrics.sent_bytes.add(1'000'000);
  CHECK(content.next("").sent_mbps == 0);
}

TEST_CASE_FIXTURE(HeartbeatContentFixture, "a problem of the store is reported as the reason, truncated to 200 bytes") {
  CHECK(content.next("").reason.empty());
  CHECK(content.next("no space left").reason == "no space left");
  CHECK(content.next(std::string(300, 'x')).reason == std::string(200, 'x'));
}

TEST_CASE_FIXTURE(HeartbeatContentFixture, "a node without a disk reports no free bytes of a disk") {
  CHECK(content.next("").disk_free_bytes > 0);
  CHECK(make(nullptr).next("").disk_free_bytes == 0);
}

TEST_CASE_FIXTURE(HeartbeatContentFixture,
                  "viewers are counted in windows of ten seconds, and are reported for two windows") {
  node.viewers.add("192.0.2.1", 1);
  clock.advance(std::chrono::seconds(1));
  CHECK(content.next("").sessions == 1);
  clock.advance(std::chrono::seconds(10));
  CHECK(content.next("").sessions == 1);  // ends the window
  clock.advance(std::chrono::seconds(11));
  CHECK(content.next("").sessions == 1);  // those of the previous window
  clock.advance(std::chrono::seconds(11));
  CHECK(content.next("").sessions == 0);
}

TEST_CASE_FIXTURE(HeartbeatContentFixture,
                  "the responses to viewers within the last seconds are in the heartbeat, and can be read separately") {
  content.next("");
  node.node_metrics.hits.add(3);
  node.node_metrics.failed.add();
  node.node_metrics.broken.add();
  clock.advance(std::chrono::seconds(1));
  const auto heartbeat = content.next("");
  CHECK(heartbeat.experience.requests == 4);
  CHECK(heartbeat.experience.failures == 1);
  CHECK(*content.recent_experience() == heartbeat.experience);
}
