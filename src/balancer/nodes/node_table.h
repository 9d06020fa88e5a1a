#pragma once
// The cache nodes and their state at one instant.
//
// States of a node
//   unheard     configured, no heartbeat since the start or its configuration; may be alive      (configure)
//   up          a heartbeat within the timeout, and it reports itself healthy                     (a heartbeat)
//   unhealthy   a heartbeat within the timeout, but it reports itself unhealthy, is unreachable, or does not deliver
//               (a heartbeat, probes and reports, delivery_health.h)
//   down        silent for longer than the timeout                                           (the check)
// Beside its state a node may be doubted (most nodes failed at once: it stays in service, reachability.h), held (it was
// lost repeatedly: no viewers for a time) and drained (an operator moves its viewers to other nodes).

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "contracts/heartbeat.h"

namespace tribune::balancer {

class HashOrders;
class GroupLoads;

enum class NodeCondition { unheard, up, unhealthy, down };

std::string_view to_string(NodeCondition);

/// Where viewers reach a node. Immutable; shared by the tables and the pins that name it.
struct NodeAddress {
  std::string id;
  std::string url;  // "http://host:port", without '/' at the end; empty while it is not known
};

/// The viewers that this balancer has on a node at this instant. Any thread.
struct NodeViewers {
  std::atomic<std::int64_t> count{0};
};

struct NodeState {
  std::shared_ptr<const NodeAddress> address;
  NodeCondition condition = NodeCondition::unheard;
  base::SteadyTime last_heartbeat{};
  base::WallTime since{};                        // of the condition
  contracts::Heartbeat last;                     // the last one; empty before the first
  std::string group{};                           // empty: a group of its own
  double capacity_mbps = 0;                      // as configured, else as its heartbeat states, else a default
  std::optional<base::SteadyTime> returned{};    // after others had served its viewers; it ramps up from then
  std::optional<base::SteadyTime> held_until{};  // lost repeatedly: no viewers until then
  std::optional<base::SteadyTime> draining_since{};
  std::string why_unhealthy{};       // by probes and reports; its own reason is last.reason
  std::string doubted{};             // what fails and is not believed (reachability.h); the node stays in service
  bool is_lost_for_certain = false;  // its host refuses connections, or clients cannot reach it either
  /// Its viewers leave it one after the other from then on, although it is not usable: its failure was doubted for
  /// long, or no node was usable and the first one returned.
  std::optional<base::SteadyTime> leaving_since{};
  std::string unfit{};                    // why it does not deliver, and gets no viewers (delivery_health.h)
  std::string degraded{};                 // why it does not deliver well, and gets viewers nevertheless
  std::int64_t viewers_at_heartbeat = 0;  // this balancer's at the last heartbeat
  std::shared_ptr<NodeViewers> viewers = std::make_shared<NodeViewers>();

  const std::string& group_id() const { return group.empty() ? address->id : group; }
  /// The group whose limit its viewers count for; empty: none.
  const std::string& limit_group() const { return group.empty() ? last.group : group; }
  /// Whether it may serve: it is up or unheard, and its URL is known.
  bool is_usable() const {
    return (condition == NodeCondition::up || condition == NodeCondition::unheard) && !address->url.empty();
  }
  /// The used share of its capacity, by the traffic of its last heartbeat and the viewers that came since; 0 before the
  /// first heartbeat.
  double utilisation() const;
  std::int64_t sessions() const { return std::max(viewers->count.load(std::memory_order_relaxed), last.sessions); }
};

/// Nodes that replace each other.
struct NodeGroup {
  std::string id;
  std::vector<std::size_t> members;          // indexes of `nodes`
  std::shared_ptr<const HashOrders> orders;  // the members by channel, kept while members and capacities are equal
  std::shared_ptr<GroupLoads> loads;
};

/// Immutable once indexed. The nodes in the order of preference.
struct NodeTable {
  std::vector<NodeState> nodes;
  std::vector<NodeGroup> groups;  // in the order of their first nodes

  /// Fills `groups` and the indexes of find(); keeps the orders of `before` that are still valid.
  void index(const NodeTable* before = nullptr);
  /// Whether a node may serve.
  bool has_usable_node() const;
  /// nullptr when there is none.
  const NodeState* find(std::string_view id) const;
  const NodeGroup* find_group(std::string_view id) const;

 private:
  std::unordered_map<std::string_view, std::size_t> places_;        // views into the addresses
  std::unordered_map<std::string_view, std::size_t> group_places_;  // views into `groups`: not copied with the table
 public:
  NodeTable() = default;
  NodeTable(const NodeTable&) = delete;
  NodeTable& operator=(const NodeTable&) = delete;
  NodeTable(NodeTable&&) = default;
  NodeTable& operator=(NodeTable&&) = default;
};

}  // namespace tribune::balancer
