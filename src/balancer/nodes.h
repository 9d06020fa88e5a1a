#pragma once
// The cache nodes as one moment saw them.
//
// States of a node
//   unheard     configured, not heard since the start or its configuration; may be alive      (configure)
//   up          heard within the timeout, and healthy by its own account                     (a heartbeat)
//   unhealthy   heard within the timeout, not healthy by its own account                     (a heartbeat)
//   down        silent for longer than the timeout                                           (the check)

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "contracts/heartbeat.h"

namespace tribune::balancer {

enum class NodeCondition { unheard, up, unhealthy, down };

std::string_view word(NodeCondition);

/// Where viewers reach a node. Immutable; shared by the tables and the pins that name it.
struct NodeAddress {
  std::string id;
  std::string url;          // "http://host:port", without '/' at the end; empty when nobody has said it yet
};

struct NodeState {
  std::shared_ptr<const NodeAddress> address;
  NodeCondition condition = NodeCondition::unheard;
  base::SteadyTime last_heard{};
  base::WallTime since{};             // of the condition
  contracts::Heartbeat last;          // the last one; empty before the first

  /// Whether new segments may be sent its way: up, or perhaps so.
  bool is_usable() const { return (condition == NodeCondition::up || condition == NodeCondition::unheard) && !address->url.empty(); }
};

/// Immutable. The nodes in the order of preference.
struct NodeTable {
  std::vector<NodeState> nodes;

  const NodeState* find(std::string_view id) const {
    for (const auto& node : nodes)
      if (node.address->id == id) return &node;
    return nullptr;
  }
};

}  // namespace tribune::balancer
