#pragma once
// Nodes in a registry, for tests of what their heartbeats report.

#include <doctest/doctest.h>

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "balancer/nodes/node_registry.h"
#include "support/silent_log.h"

namespace tribune::test {

/// The counts of ten seconds of a node.
inline contracts::NodeExperience met(std::int64_t requests, std::int64_t failures, std::int64_t by_origin = 0) {
  contracts::NodeExperience e;
  e.requests = requests;
  e.failures = failures;
  e.failures_by_origin = by_origin;
  e.origin_asks = requests;
  e.origin_failures = by_origin;
  return e;
}

/// Nodes whose heartbeats say what a test wants.
struct ReportingNodes {
  base::ManualClock clock;
  base::Log log{silent()};
  base::Metrics metrics;
  balancer::NodeRegistry registry{clock, log, metrics};
  std::map<std::string, contracts::Heartbeat> says;

  /// `group`: of all nodes; empty: each has its own.
  explicit ReportingNodes(const std::vector<std::string>& ids, const std::string& group = "") {
    std::vector<balancer::NodeSettings> nodes;
    for (const auto& id : ids) {
      nodes.push_back({id, "http://" + id + ":81", group});
      auto& h = says[id];
      h.node = id;
      h.run = "r1";
      h.memory = "plenty";
    }
    registry.configure(nodes, std::chrono::milliseconds(1'800));
    pass(std::chrono::seconds(1));
  }
  void pass(std::chrono::milliseconds time) {
    for (auto passed = std::chrono::milliseconds(0); passed < time; passed += std::chrono::milliseconds(100)) {
      for (auto& [id, h] : says) {
        if (passed.count() % 1000 != 0) continue;
        h.sent_unix_ms = ++h.sequence;
        CHECK(registry.record_heartbeat(h) == balancer::NodeRegistry::HeartbeatResult::accepted);
      }
      clock.advance(std::chrono::milliseconds(100));
      registry.check();
    }
  }
  balancer::NodeState state(const std::string& id) { return *registry.table()->find(id); }
  bool is_up(const std::string& id) { return state(id).condition == balancer::NodeCondition::up; }
  std::string told(const std::string& id) { return registry.unfit(id); }
};

}  // namespace tribune::test
