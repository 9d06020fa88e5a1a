#pragma once
// The cache nodes and their conditions: configured here, updated by heartbeats, probes and reports of clients.
// Publishes an immutable table.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "balancer/nodes/delivery_health.h"
#include "balancer/nodes/node_table.h"
#include "balancer/nodes/reachability.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/published.h"
#include "contracts/heartbeat.h"

namespace tribune::balancer {

/// A cache node of the configuration.
struct NodeSettings {
  std::string id;
  std::string url;                 // where viewers reach it; empty: as its heartbeat states
  std::string group = {};          // of nodes that replace each other; empty: a group of its own
  std::int64_t capacity_mbps = 0;  // 0: as its heartbeat states
};

/// A node that is lost at least twice within kFlapWindow gets no viewers for a time after it returns: kFirstHold,
/// doubled with each further loss, at most kLongestHold.
inline constexpr std::chrono::seconds kFlapWindow{60};
inline constexpr std::chrono::seconds kFirstHold{5};
inline constexpr std::chrono::seconds kLongestHold{60};

/// Any thread; locks inside.
class NodeRegistry {
 public:
  NodeRegistry(const base::Clock&, base::Log&, base::Metrics&);

  /// Sets the nodes, in the order of preference. A node that was configured before keeps its state; a new one counts as
  /// possibly alive for `timeout`.
  void configure(const std::vector<NodeSettings>&, std::chrono::milliseconds timeout);

  enum class HeartbeatResult { accepted, unknown_node, replayed };
  /// Records a heartbeat whose signature was verified.
  HeartbeatResult record_heartbeat(const contracts::Heartbeat&);

  /// Records the result of a probe of GET {url}/ping.
  void probed(std::string_view id, PingResult);
  /// Records that the connection over which the balancer pushes to the node was closed.
  void connection_lost(std::string_view id);
  /// Returns the nodes that are to be probed at once: they lost their connection, or many fail at once.
  std::vector<std::string> take_due_probes();
  /// Records that a client of this network could not reach the node.
  void reported_gone(std::string_view id, std::string_view client_prefix);
  /// Begins or ends moving a node's viewers to other nodes. Returns false when there is no such node.
  bool drain(std::string_view id, bool on);

  /// Marks nodes without a heartbeat within the timeout as down, unless most nodes fail at once. Called every
  /// check_period() by one worker; the time that a call is late (this process was suspended) does not count.
  void check();
  std::chrono::milliseconds check_period() const;

  std::shared_ptr<const NodeTable> table() const { return table_.get(); }

  /// Whether nodes are configured and none of them is usable: viewers stay where they are. Any thread.
  bool is_without_usable_node() const;

  /// Why a node that sends heartbeats gets no viewers; empty when it gets viewers. Any thread.
  std::string unfit(std::string_view id) const;

  /// "nodes": [{id, url, state, since, …}]. Any thread.
  void describe(base::json::Writer&) const;

 private:
  struct Known {
    std::string configured_url;
    double configured_capacity = 0;
    NodeState state;
    base::Gauge up;
    base::Gauge viewers;
    base::Gauge error_share;
    Reachability reach;
    DeliveryRecord delivery = {};
    std::vector<base::SteadyTime> losses = {};  // the last ones, within kFlapWindow
  };
  Known* find(std::string_view id);
  void judge(Known&);
  void judge_reachability(Known&, base::SteadyTime now);
  void judge_delivery(base::SteadyTime now);
  void look_for_shared_failure(base::SteadyTime now);
  void doubt_failures(base::SteadyTime now);
  void end_doubt(base::SteadyTime now);
  bool believes_failure(const Known&, base::SteadyTime now) const;
  void mark_silent_nodes(base::SteadyTime now);
  void record_return(Known&, base::SteadyTime now);
  Known make(const NodeSettings&, base::SteadyTime now);
  void set_condition(Known&, NodeCondition, std::string_view reason);
  void publish();

  const base::Clock& clock_;
  base::Log& log_;
  base::Metrics& metrics_;
  base::Gauge origin_to_blame_, doubted_, without_usable_;
  base::Published<NodeTable> table_;

  mutable std::mutex mutex_;  // guards what follows; held while a table of all nodes is copied
  std::vector<Known> known_;
  std::chrono::milliseconds timeout_{1'800};
  base::SteadyTime last_check_;
  base::SteadyTime begun_;
  SharedFailure shared_;
  NodeComparison comparison_;
  base::SteadyTime doubted_since_{};
  bool is_origin_to_blame_ = false;
  bool changed_ = false;  // since the table was published
};

}  // namespace tribune::balancer
