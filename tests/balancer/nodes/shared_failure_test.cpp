// Nodes that fail at once: which of them stay in service, and what happens when they return.
#include <doctest/doctest.h>

#include <map>
#include <set>
#include <string>

#include "balancer/nodes/node_registry.h"
#include "support/silent_log.h"

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;

namespace {

/// Three nodes; each sends a heartbeat a second at its own time.
struct ThreeNodes {
  base::ManualClock clock;
  base::Log log{test::silent()};
  base::Metrics metrics;
  NodeRegistry registry{clock, log, metrics};
  std::map<std::string, std::chrono::milliseconds> phases{{"a", 0ms}, {"b", 400ms}, {"c", 800ms}};
  std::set<std::string> cut;       // heartbeats that do not arrive
  std::set<std::string> blocked;   // nodes whose probes fail
  std::set<std::string> refusing;  // nodes whose probes are refused
  std::chrono::milliseconds time{0}, probe_period{1'000};
  std::int64_t sequence = 0;

  ThreeNodes() {
    registry.configure({{"a", "http://a"}, {"b", "http://b"}, {"c", "http://c"}}, 1800ms);
    pass(12s);
  }
  void pass(std::chrono::milliseconds duration) {
    for (const auto end = time + duration; time < end; time += 100ms) {
      for (const auto& [node, phase] : phases) {
        if (time % 1000ms == phase && !cut.contains(node)) hear(node);
        if (time % probe_period == 0ms)
          registry.probed(node, refusing.contains(node)  ? PingResult::refused
                                : blocked.contains(node) ? PingResult::failed
                                                         : PingResult::answered);
      }
      clock.advance(100ms);
      registry.check();
    }
  }
  void hear(const std::string& node) {
    contracts::Heartbeat h;
    h.node = node;
    h.run = "r1";
    h.sequence = ++sequence;
    h.sent_unix_ms = sequence;
    CHECK(registry.record_heartbeat(h) == NodeRegistry::HeartbeatResult::accepted);
  }
  NodeState state(const std::string& node) { return *registry.table()->find(node); }
  /// One letter a node: u(p), n(ot healthy), d(own); in capitals when its failure is doubted.
  std::string states() {
    std::string all;
    for (const std::string node : {"a", "b", "c"}) {
      const auto now = state(node);
      const char letter = now.condition == NodeCondition::up ? 'u' : now.condition == NodeCondition::down ? 'd' : 'n';
      all += now.doubted.empty() ? letter : static_cast<char>(letter - 32);
    }
    return all;
  }
};

}  // namespace

TEST_CASE("heartbeats of all nodes that stop take no node out of service") {
  // The node that was due first reaches the timeout up to a second before the others.
  for (const auto at : {0ms, 100ms, 300ms, 500ms, 700ms, 900ms}) {
    CAPTURE(at.count());
    ThreeNodes n;
    n.pass(at);
    n.cut = {"a", "b", "c"};
    n.pass(3s);
    CHECK(n.states() == "UUU");
    for (const auto* node : {"a", "b", "c"}) {
      CHECK_FALSE(n.state(node).returned);  // it was not away
      CHECK_FALSE(n.state(node).held_until);
    }
    n.pass(10min);
    CHECK(n.states() == "UUU");
    n.cut.clear();
    n.pass(3s);
    CHECK(n.states() == "uuu");
  }
}

TEST_CASE("a node that does not return with the others is lost after two further timeouts") {
  ThreeNodes n;
  n.cut = {"a", "b", "c"};
  n.pass(20s);
  n.cut = {"b"};
  n.pass(1s);
  CHECK(n.states() == "uuu");
  n.pass(2s);
  CHECK(n.states() == "uuu");
  n.pass(2s);
  CHECK(n.states() == "udu");
  CHECK_FALSE(n.state("b").leaving_since);
}

TEST_CASE("probes that fail for all nodes take no node out of service while heartbeats arrive") {
  for (const bool is_refused : {false, true}) {
    CAPTURE(is_refused);
    ThreeNodes n;
    (is_refused ? n.refusing : n.blocked) = {"a", "b", "c"};
    n.pass(10s);
    CHECK(n.states() == "UUU");
    n.registry.connection_lost("a");  // a firewall that resets connections
    n.pass(2s);
    CHECK(n.states() == "UUU");
    n.blocked = n.refusing = {"b"};
    n.pass(2s);
    CHECK(n.states() == "uuu");
    n.pass(3s);
    CHECK(n.states() == "unu");
  }
}

TEST_CASE("the failure of one node of three is believed") {
  ThreeNodes n;
  n.cut = {"b"};
  n.pass(4s);
  CHECK(n.states() == "udu");
  n.blocked = {"c"};
  n.pass(5s);
  CHECK(n.states() == "udn");  // a second one, later, for its own reason
}

TEST_CASE(
    "nodes whose processes end at once are lost with their timeouts, although their failures are doubted before") {
  for (const auto at : {0ms, 300ms, 600ms, 900ms}) {
    CAPTURE(at.count());
    ThreeNodes n;
    n.probe_period = 200ms;
    n.phases["c"] = 500ms;
    n.pass(at);
    n.cut = n.refusing = {"a", "b", "c"};
    n.registry.connection_lost("a");
    n.pass(2900ms);  // the last heartbeat may have been just before
    CHECK(n.states() == "ddd");
  }
}

TEST_CASE("when a doubt ends, one answered probe is enough for a node that was doubted") {
  ThreeNodes n;
  n.blocked = {"a", "b", "c"};
  n.pass(10s);
  REQUIRE(n.states() == "UUU");
  n.registry.probed("c", PingResult::answered);
  n.registry.check();
  CHECK(n.states() == "UUu");
  n.registry.probed("b", PingResult::answered);
  n.registry.check();
  CHECK(n.states() == "uuu");
  n.registry.probed("c", PingResult::failed);
  n.registry.check();
  CHECK(n.states() == "uuu");
}

TEST_CASE("a node that failed long before the others stays out while their failures are doubted") {
  ThreeNodes n;
  n.blocked = {"c"};
  n.pass(20s);
  CHECK(n.states() == "uun");
  n.cut = {"a", "b"};
  n.pass(5s);
  CHECK(n.states() == "UUn");
  n.cut = {};
  n.pass(2s);
  CHECK(n.states() == "uun");
}

TEST_CASE("while failures are doubted certain evidence takes a node out, and its next heartbeat returns it") {
  ThreeNodes n;
  n.cut = {"a", "b", "c"};
  n.pass(4s);
  REQUIRE(n.states() == "UUU");
  n.refusing = {"a"};
  n.pass(1100ms);
  CHECK(n.states() == "dUU");
  CHECK(n.state("a").is_lost_for_certain);
  for (const auto* network : {"10.1.1.0/24", "10.1.2.0/24", "10.1.3.0/24"}) n.registry.reported_gone("b", network);
  n.pass(200ms);
  CHECK(n.states() == "ddu");  // one node that fails is no shared failure, and gets further time
  n.cut = n.refusing = {};
  n.pass(2s);
  CHECK(n.states() == "uuu");
  CHECK_FALSE(n.state("a").is_lost_for_certain);
}

TEST_CASE("two of three nodes that are cut off in both directions for a minute lose their viewers gradually") {
  ThreeNodes n;
  n.cut = n.blocked = {"a", "b"};
  n.pass(50s);
  CHECK(n.states() == "UUu");
  n.pass(15s);
  CHECK(n.states() == "ddu");
  CHECK(n.state("a").leaving_since);
  n.cut = n.blocked = {};
  n.pass(3s);
  CHECK(n.states() == "uuu");
  CHECK_FALSE(n.state("a").leaving_since);
}

TEST_CASE("when all nodes are cut off in both directions they stay in service") {
  ThreeNodes n;
  n.cut = n.blocked = {"a", "b", "c"};
  n.pass(10min);
  CHECK(n.states() == "UUU");
  CHECK_FALSE(n.registry.is_without_usable_node());
}

TEST_CASE("after a time without a usable node the viewers of lost nodes do not all go to the first one that returns") {
  ThreeNodes n;
  for (const auto* node : {"a", "b", "c"}) {  // one after the other: each failure is believed
    n.cut.insert(node);
    n.pass(5s);
  }
  CHECK(n.states() == "ddd");
  CHECK(n.registry.is_without_usable_node());
  CHECK_FALSE(n.state("b").leaving_since);
  n.cut = {"b", "c"};
  n.refusing = {"c"};
  n.pass(1s);
  CHECK(n.states() == "udd");
  CHECK_FALSE(n.registry.is_without_usable_node());
  CHECK(n.state("b").leaving_since);
  n.cut = n.refusing = {};
  n.pass(1s);
  CHECK(n.states() == "uuu");
  CHECK_FALSE(n.state("b").leaving_since);
}
