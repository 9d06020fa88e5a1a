#pragma once
// Which cache nodes there are, and how they are: configured here, heard by their heartbeats. Publishes an immutable table.

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "balancer/nodes.h"
#include "base/published.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "contracts/heartbeat.h"

namespace tribune::balancer {

/// A cache node of the configuration.
struct NodeSettings {
  std::string id;
  std::string url;          // where viewers reach it; empty: what its heartbeat says
};

/// Any thread; locks inside.
class NodeRegistry {
 public:
  NodeRegistry(const base::Clock&, base::Log&, base::Metrics&);

  /// The nodes in order of preference. Those that stay keep their state; a new one counts as possibly alive for `timeout`.
  void configure(const std::vector<NodeSettings>&, std::chrono::milliseconds timeout);

  enum class Heard { accepted, unknown_node, replayed };
  /// Records a heartbeat whose signature was verified.
  Heard heard(const contracts::Heartbeat&);

  /// Finds the silent ones. Called every check_period() by one worker; a late call (this process slept) blames no node.
  void check();
  std::chrono::milliseconds check_period() const;

  std::shared_ptr<const NodeTable> table() const { return table_.get(); }

  /// "nodes": [{id, url, state, since, …}]. Any thread.
  void describe(base::json::Writer&) const;

 private:
  struct Known {
    std::string configured_url;
    NodeState state;
    base::Gauge up;
  };
  Known make(const NodeSettings&, base::SteadyTime now);
  void set_condition(Known&, NodeCondition, std::string_view reason);
  void publish();

  const base::Clock& clock_;
  base::Log& log_;
  base::Metrics& metrics_;
  base::Published<NodeTable> table_;

  mutable std::mutex mutex_;   // guards what follows; held while a table of all nodes is copied
  std::vector<Known> known_;
  std::chrono::milliseconds timeout_{1'800};
  base::SteadyTime last_check_;
  bool changed_ = false;       // something that the published table does not show
};

}  // namespace tribune::balancer
