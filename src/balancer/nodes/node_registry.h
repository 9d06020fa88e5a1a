#pragma once
// Which cache nodes there are, and how they are: configured here, heard by their heartbeats. Publishes an immutable
// table.

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
  std::string url;                 // where viewers reach it; empty: what its heartbeat says
  std::string group = {};          // of nodes that stand for each other; empty: it stands for itself
  std::int64_t capacity_mbps = 0;  // 0: what its heartbeat says
};

/// When a node that comes and goes is held back: from the second loss within a minute on, doubled with each further
/// one.
inline constexpr std::chrono::seconds kFlapWindow{60};
inline constexpr std::chrono::seconds kFirstHold{5};
inline constexpr std::chrono::seconds kLongestHold{60};

/// Probes that must fail in a row before a node that was reached by them counts as unreachable; one is enough while
/// several clients report it gone. So many must succeed in a row before it is believed again.
inline constexpr int kFailedProbes = 3;
inline constexpr int kGoodProbes = 2;

/// One failed probe is enough, too, so long after a node hung up: a process that dies lets go of its connections at
/// once.
inline constexpr std::chrono::seconds kDoubt{2};

/// Networks of clients that must report a node gone within kReportWindow.
inline constexpr std::size_t kReporters = 3;
inline constexpr std::chrono::seconds kReportWindow{10};

/// Any thread; locks inside.
class NodeRegistry {
 public:
  NodeRegistry(const base::Clock&, base::Log&, base::Metrics&);

  /// The nodes in order of preference. Those that stay keep their state; a new one counts as possibly alive for
  /// `timeout`.
  void configure(const std::vector<NodeSettings>&, std::chrono::milliseconds timeout);

  enum class Heard { accepted, unknown_node, replayed };
  /// Records a heartbeat whose signature was verified.
  Heard heard(const contracts::Heartbeat&);

  /// What a probe of GET {url}/ping found.
  void probed(std::string_view id, bool answered);
  /// The connection broke on which the node waited for news.
  void hung_up(std::string_view id);
  /// Those that hung up since the last call: to be probed at once.
  std::vector<std::string> take_doubted();
  /// A client of this network could not reach the node.
  void reported_gone(std::string_view id, std::string_view client_prefix);
  /// Takes a node's viewers away, or stops doing so. False when there is no such node.
  bool drain(std::string_view id, bool on);

  /// Finds the silent ones. Called every check_period() by one worker; a late call (this process slept) blames no node.
  void check();
  std::chrono::milliseconds check_period() const;

  std::shared_ptr<const NodeTable> table() const { return table_.get(); }

  /// Why viewers are kept off a node that talks; empty when they are not. Any thread.
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
    DeliveryRecord delivery = {};
    std::vector<base::SteadyTime> losses = {};  // the last ones, within kFlapWindow
    int good_probes = 0, failed_probes = 0;     // in a row
    bool was_reached = false;                   // a probe was answered since its address is known
    std::map<std::string, base::SteadyTime, std::less<>> reports = {};  // by network; bounded by kReporters
    std::optional<base::SteadyTime> hung_up = {};
    bool is_doubted = false;  // hung up, and not taken yet
  };
  Known* find(std::string_view id);
  void judge(Known&);
  void judge_delivery(base::SteadyTime now);
  static void forget_probes(Known&);
  void note_return(Known&, base::SteadyTime now);
  Known make(const NodeSettings&, base::SteadyTime now);
  void set_condition(Known&, NodeCondition, std::string_view reason);
  void publish();

  const base::Clock& clock_;
  base::Log& log_;
  base::Metrics& metrics_;
  base::Gauge origin_to_blame_;
  base::Published<NodeTable> table_;

  mutable std::mutex mutex_;  // guards what follows; held while a table of all nodes is copied
  std::vector<Known> known_;
  std::chrono::milliseconds timeout_{1'800};
  base::SteadyTime last_check_;
  base::SteadyTime begun_;
  bool is_origin_to_blame_ = false;
  bool changed_ = false;  // something that the published table does not show
};

}  // namespace tribune::balancer
