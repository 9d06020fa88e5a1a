#include "balancer/nodes/node_registry.h"

#include <doctest/doctest.h>

#include "balancer/tables.h"
#include "support/silent_log.h"

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;

namespace {

struct NodeRegistryServer {
  base::ManualClock clock;
  base::Log log{test::silent()};
  base::Metrics metrics;
  NodeRegistry registry{clock, log, metrics};
  std::int64_t sequence = 0;

  NodeRegistryServer() { registry.configure({{"stadium", "http://s:81"}, {"city", "http://c:82/"}}, 1800ms); }

  contracts::Heartbeat heartbeat(const std::string& node) {
    contracts::Heartbeat h;
    h.node = node;
    h.public_url = "http://said:9";
    h.run = "r1";
    h.sequence = ++sequence;
    h.sent_unix_ms = std::chrono::duration_cast<std::chrono::milliseconds>(clock.wall_now().time_since_epoch()).count();
    return h;
  }
  NodeRegistry::HeartbeatResult hear(const std::string& node) { return registry.record_heartbeat(heartbeat(node)); }

  /// Time passes as for the balancer: with a check in every period.
  void pass(std::chrono::milliseconds time) {
    for (auto passed = 0ms; passed < time; passed += registry.check_period()) {
      clock.advance(registry.check_period());
      registry.check();
    }
  }
  NodeCondition condition(const std::string& node) { return registry.table()->find(node)->condition; }
  bool says(const std::string& line) { return metrics.scrape().find(line) != std::string::npos; }
};

}  // namespace

TEST_CASE("after a start configured nodes are usable until the heartbeat timeout") {
  NodeRegistryServer h;
  CHECK(h.condition("stadium") == NodeCondition::unheard);
  CHECK(h.registry.table()->find("stadium")->is_usable());
  h.pass(1700ms);
  CHECK(h.condition("stadium") == NodeCondition::unheard);
  h.pass(200ms);
  CHECK(h.condition("stadium") == NodeCondition::down);
}

TEST_CASE("a node that sends a heartbeat every second stays up") {
  NodeRegistryServer h;
  for (int i = 0; i < 20; ++i) {
    CHECK(h.hear("stadium") == NodeRegistry::HeartbeatResult::accepted);
    CHECK(h.condition("stadium") == NodeCondition::up);
    h.pass(1000ms);
  }
  CHECK(h.condition("stadium") == NodeCondition::up);
  CHECK(h.condition("city") == NodeCondition::down);
}

TEST_CASE("a silent node is down within two seconds of its last heartbeat, and returns with the next") {
  NodeRegistryServer h;
  h.hear("stadium");
  CHECK(h.says("tribune_balancer_node_up{node=\"stadium\"} 1"));
  h.pass(1700ms);
  CHECK(h.condition("stadium") == NodeCondition::up);
  h.pass(200ms);
  CHECK(h.condition("stadium") == NodeCondition::down);
  CHECK(h.says("tribune_balancer_node_up{node=\"stadium\"} 0"));
  h.hear("stadium");
  CHECK(h.condition("stadium") == NodeCondition::up);
  CHECK(h.says("tribune_balancer_node_up{node=\"stadium\"} 1"));
}

TEST_CASE("a node that reports itself as unhealthy is not usable, and not down") {
  NodeRegistryServer h;
  auto beat = h.heartbeat("stadium");
  beat.healthy = false;
  beat.reason = "disk full";
  h.registry.record_heartbeat(beat);
  CHECK(h.condition("stadium") == NodeCondition::unhealthy);
  CHECK_FALSE(h.registry.table()->find("stadium")->is_usable());
  h.hear("stadium");
  CHECK(h.condition("stadium") == NodeCondition::up);
}

TEST_CASE("an unknown node is not added") {
  NodeRegistryServer h;
  CHECK(h.hear("nowhere") == NodeRegistry::HeartbeatResult::unknown_node);
  CHECK(h.registry.table()->nodes.size() == 2);
}

TEST_CASE("a replayed heartbeat does not keep a node up") {
  NodeRegistryServer h;
  const auto first = h.heartbeat("stadium");
  h.registry.record_heartbeat(first);
  h.pass(1000ms);
  h.hear("stadium");
  CHECK(h.registry.record_heartbeat(first) == NodeRegistry::HeartbeatResult::replayed);
  h.pass(1900ms);
  CHECK(h.registry.record_heartbeat(first) == NodeRegistry::HeartbeatResult::replayed);
  CHECK(h.condition("stadium") == NodeCondition::down);
}

TEST_CASE("heartbeats are accepted after the node's clock stepped back, and after its restart") {
  NodeRegistryServer h;
  h.hear("stadium");
  h.clock.step_wall(-20s);
  CHECK(h.hear("stadium") == NodeRegistry::HeartbeatResult::accepted);
  h.clock.step_wall(20s);
  h.pass(1000ms);
  h.hear("stadium");
  h.pass(1000ms);
  auto restarted = h.heartbeat("stadium");
  restarted.run = "r2";
  restarted.sequence = 1;
  CHECK(h.registry.record_heartbeat(restarted) == NodeRegistry::HeartbeatResult::accepted);
}

TEST_CASE("heartbeats without a sequence are distinguished from replays by their time") {
  NodeRegistryServer h;
  auto beat = h.heartbeat("stadium");
  beat.sequence = 0;
  CHECK(h.registry.record_heartbeat(beat) == NodeRegistry::HeartbeatResult::accepted);
  CHECK(h.registry.record_heartbeat(beat) == NodeRegistry::HeartbeatResult::replayed);
  beat.sent_unix_ms += 1;
  CHECK(h.registry.record_heartbeat(beat) == NodeRegistry::HeartbeatResult::accepted);
}

TEST_CASE("steps of the balancer's wall clock make no node down") {
  NodeRegistryServer h;
  h.hear("stadium");
  h.clock.step_wall(1h);
  h.registry.check();
  CHECK(h.condition("stadium") == NodeCondition::up);
}

TEST_CASE("a balancer that was suspended counts no silence of nodes during that time") {
  NodeRegistryServer h;
  h.hear("stadium");
  h.pass(500ms);
  h.clock.advance(10s);
  h.registry.check();
  CHECK(h.condition("stadium") == NodeCondition::up);
  h.pass(1900ms);
  CHECK(h.condition("stadium") == NodeCondition::down);
}

TEST_CASE("the configured address is used, and without one the address of the heartbeat") {
  NodeRegistryServer h;
  h.hear("stadium");
  CHECK(h.registry.table()->find("stadium")->address->url == "http://s:81");
  CHECK(h.registry.table()->find("city")->address->url == "http://c:82");
  h.registry.configure({{"city", ""}, {"stadium", "http://s:81"}, {"new", ""}}, 1800ms);
  CHECK(h.registry.table()->nodes[0].address->id == "city");
  CHECK_FALSE(h.registry.table()->find("new")->is_usable());
  h.hear("new");
  CHECK(h.registry.table()->find("new")->address->url == "http://said:9");
  CHECK(h.registry.table()->find("new")->is_usable());
}

TEST_CASE("a reload keeps the state of the remaining nodes") {
  NodeRegistryServer h;
  h.hear("stadium");
  const auto address = h.registry.table()->find("stadium")->address;
  h.registry.configure({{"stadium", "http://s:81"}}, 1800ms);
  CHECK(h.condition("stadium") == NodeCondition::up);
  CHECK(h.registry.table()->find("stadium")->address == address);
  CHECK(h.registry.table()->find("city") == nullptr);
  CHECK(h.says("tribune_balancer_node_up{node=\"city\"} 0"));
}

TEST_CASE("a reader's table is immutable") {
  NodeRegistryServer h;
  const auto before = h.registry.table();
  h.hear("stadium");
  CHECK(before->find("stadium")->condition == NodeCondition::unheard);
  CHECK(h.registry.table()->find("stadium")->condition == NodeCondition::up);
}
