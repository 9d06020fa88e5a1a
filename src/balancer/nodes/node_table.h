#pragma once
// The cache nodes as one moment saw them.
//
// States of a node
//   unheard     configured, not heard since the start or its configuration; may be alive      (configure)
//   up          heard within the timeout, and healthy by its own account                     (a heartbeat)
//   unhealthy   heard within the timeout, not healthy by its own account; or nobody reaches it; or it does not deliver
//               (a heartbeat, probes and reports, delivery_health.h)
//   down        silent for longer than the timeout                                           (the check)
// Beside its state a node may be held (it came and went too often: no viewers until it stayed) and drained (an operator
// takes its viewers away).

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
  std::string url;  // "http://host:port", without '/' at the end; empty when nobody has said it yet
};

/// The viewers that this balancer has on a node at this instant. Any thread.
struct NodeViewers {
  std::atomic<std::int64_t> count{0};
};

struct NodeState {
  std::shared_ptr<const NodeAddress> address;
  NodeCondition condition = NodeCondition::unheard;
  base::SteadyTime last_heard{};
  base::WallTime since{};                      // of the condition
  contracts::Heartbeat last;                   // the last one; empty before the first
  std::string group{};                         // empty: it stands for itself
  double capacity_mbps = 0;                    // configured here, else by its heartbeat, else what a node usually has
  std::optional<base::SteadyTime> returned{};  // came back after others had carried its viewers: it ramps up from then
  std::optional<base::SteadyTime> held_until{};  // came and went too often
  std::optional<base::SteadyTime> draining_since{};
  std::string why_unhealthy{};    // what probes and reports say; its own account is last.reason
  std::string unfit{};            // why it does not deliver, and gets no viewers (delivery_health.h)
  std::string spared{};           // why it does not deliver well, and gets viewers all the same
  std::int64_t viewers_then = 0;  // this balancer's at the last heartbeat
  std::shared_ptr<NodeViewers> viewers = std::make_shared<NodeViewers>();

  const std::string& group_id() const { return group.empty() ? address->id : group; }
  /// The group whose limit its viewers count for; empty: none.
  const std::string& limit_group() const { return group.empty() ? last.group : group; }
  /// Whether new segments may be sent its way: up, or perhaps so.
  bool is_usable() const {
    return (condition == NodeCondition::up || condition == NodeCondition::unheard) && !address->url.empty();
  }
  /// Of its capacity: what it sent by its last heartbeat, and what those will take who came since; 0 before it said so.
  double utilisation() const;
  std::int64_t sessions() const { return std::max(viewers->count.load(std::memory_order_relaxed), last.sessions); }
};

/// Nodes that stand for each other.
struct NodeGroup {
  std::string id;
  std::vector<std::size_t> members;          // places in `nodes`
  std::shared_ptr<const HashOrders> orders;  // who takes a channel, kept while members and capacities stay
  std::shared_ptr<GroupLoads> loads;
};

/// Immutable once indexed. The nodes in the order of preference.
struct NodeTable {
  std::vector<NodeState> nodes;
  std::vector<NodeGroup> groups;  // in the order of their first nodes

  /// Fills `groups` and what find() looks into; keeps the orders of `before` that still hold.
  void index(const NodeTable* before = nullptr);
  /// Null when there is none.
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
