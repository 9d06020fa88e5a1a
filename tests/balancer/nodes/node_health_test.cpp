// Probes and reports of clients about a node, and nodes that fail repeatedly.
#include "balancer/nodes/node_registry.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "balancer/routing/node_selection.h"
#include "balancer/tables.h"
#include "support/silent_log.h"

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;

namespace {

struct NodeHealthServer {
  base::ManualClock clock;
  base::Log log{test::silent()};
  base::Metrics metrics;
  NodeRegistry registry{clock, log, metrics};
  std::int64_t sequence = 0;

  NodeHealthServer() {
    registry.configure({{"stadium", "http://s:81"}, {"city", "http://c:82"}}, 1800ms);
    beat(1s);
  }
  void hear(const std::string& node, const std::string& run = "r1") {
    contracts::Heartbeat h;
    h.node = node;
    h.run = run;
    h.sequence = ++sequence;
    h.sent_unix_ms = sequence;
    CHECK(registry.record_heartbeat(h) == NodeRegistry::HeartbeatResult::accepted);
  }
  /// Time passes; all nodes but `silent` send heartbeats.
  void beat(std::chrono::milliseconds time, const std::string& silent = "") {
    for (auto passed = 0ms; passed < time; passed += 100ms) {
      for (const std::string node : {"stadium", "city"})
        if (node != silent) hear(node);
      clock.advance(100ms);
      registry.check();
    }
  }
  /// The node "stadium" is silent until it is down, and returns.
  void flap() {
    beat(2s, "stadium");
    CHECK(state().condition == NodeCondition::down);
    beat(200ms);
    CHECK(state().condition == NodeCondition::up);
  }
  void probe(bool answered, int times = 1) {
    for (int i = 0; i < times; ++i) registry.probed("stadium", answered ? PingResult::answered : PingResult::failed);
  }
  void report(int networks) {
    for (int i = 0; i < networks; ++i) registry.reported_gone("stadium", "10.1." + std::to_string(i) + ".0/24");
  }
  NodeState state() { return *registry.table()->find("stadium"); }
  std::string chosen() {
    const auto nodes = registry.table();
    const auto made =
        choose_node(*nodes, {}, RoutingQuestion{.channel = "demo", .named = "stadium", .now = clock.steady_now()});
    return made.node ? made.node->address->id : "";
  }
};

}  // namespace

TEST_CASE(
    "three failed probes in a row make a node unhealthy that probes had reached, and two good ones make it healthy") {
  NodeHealthServer h;
  h.probe(true);
  h.probe(false, 2);
  h.probe(true);
  h.probe(false, 2);
  CHECK(h.state().condition == NodeCondition::up);
  h.probe(false);
  CHECK(h.state().condition == NodeCondition::unhealthy);
  h.beat(1s);
  CHECK(h.state().condition == NodeCondition::unhealthy);
  h.probe(true);
  CHECK(h.state().condition == NodeCondition::unhealthy);
  h.probe(true);
  CHECK(h.state().condition == NodeCondition::up);
  CHECK(h.chosen() == "stadium");
}

TEST_CASE("probes do not make a node unhealthy that this balancer never reached") {
  NodeHealthServer h;
  h.probe(false, 20);
  CHECK(h.state().condition == NodeCondition::up);
}

TEST_CASE("reports of clients in three networks and one failed probe make a node unhealthy, and reports alone do not") {
  NodeHealthServer h;
  h.probe(true);
  h.report(2);
  h.report(2);
  h.probe(false);
  CHECK(h.state().condition == NodeCondition::up);
  h.report(3);
  CHECK(h.state().condition == NodeCondition::up);
  h.probe(false);
  CHECK(h.state().condition == NodeCondition::unhealthy);
  CHECK(h.state().why_unhealthy == "clients and a probe cannot reach the node");
}

TEST_CASE("one failed probe after a lost connection makes a node unhealthy, until its next run") {
  NodeHealthServer h;
  h.probe(true);
  CHECK(h.registry.take_due_probes() == std::vector<std::string>{"stadium", "city"});  // the first heartbeat
  h.registry.connection_lost("stadium");
  CHECK(h.registry.take_due_probes() == std::vector<std::string>{"stadium"});
  CHECK(h.registry.take_due_probes().empty());
  CHECK(h.state().condition == NodeCondition::up);
  h.probe(false);
  CHECK(h.state().condition == NodeCondition::unhealthy);
  CHECK(h.state().why_unhealthy == "the node closed its connection, and a probe cannot reach it");
  CHECK(h.chosen() == "city");
  h.hear("stadium", "r2");
  CHECK(h.state().condition == NodeCondition::up);
  h.probe(false);
  CHECK(h.state().condition == NodeCondition::up);
}

TEST_CASE("a node stays up if it answers a probe after a lost connection, or if no probe ever reached it") {
  NodeHealthServer h;
  h.registry.connection_lost("stadium");
  h.probe(false);
  CHECK(h.state().condition == NodeCondition::up);
  h.registry.connection_lost("stadium");
  h.probe(true);
  h.beat(3s);
  h.probe(false, 2);
  CHECK(h.state().condition == NodeCondition::up);
}

TEST_CASE("reports of clients expire") {
  NodeHealthServer h;
  h.probe(true);
  h.report(3);
  h.beat(11s);
  h.probe(false);
  CHECK(h.state().condition == NodeCondition::up);
}

TEST_CASE("a node that was lost once serves as soon as it returns, with a small share") {
  NodeHealthServer h;
  CHECK_FALSE(h.state().returned);
  h.flap();
  CHECK_FALSE(h.state().held_until);
  CHECK(h.chosen() == "stadium");
  const RoutingRules rules;
  REQUIRE(h.state().returned);
  CHECK(ramp_factor(h.state(), rules, h.clock.steady_now()) < 0.15);
  h.beat(15s);
  CHECK(ramp_factor(h.state(), rules, h.clock.steady_now()) == doctest::Approx(0.55).epsilon(0.05));
  h.beat(16s);
  CHECK(ramp_factor(h.state(), rules, h.clock.steady_now()) == 1);
}

TEST_CASE("a node that is lost repeatedly is held, longer each time, until it stays up") {
  NodeHealthServer h;
  h.flap();
  h.flap();
  CHECK(h.chosen() == "city");
  h.beat(4700ms);
  CHECK(h.chosen() == "city");
  h.beat(300ms);
  CHECK(h.chosen() == "stadium");
  h.flap();
  h.beat(9s);
  CHECK(h.chosen() == "city");
  h.beat(1s);
  CHECK(h.chosen() == "stadium");
  h.beat(61s);
  h.flap();
  CHECK(h.chosen() == "stadium");
}

TEST_CASE("a drained node is marked as draining, and ramps up when the drain is ended") {
  NodeHealthServer h;
  CHECK_FALSE(h.registry.drain("nobody", true));
  CHECK(h.registry.drain("stadium", true));
  CHECK(h.state().draining_since);
  CHECK(h.chosen() == "city");
  CHECK(h.registry.drain("stadium", false));
  CHECK(h.chosen() == "stadium");
  CHECK(h.state().returned);
}
