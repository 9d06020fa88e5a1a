#pragma once
// Node tables for tests.

#include <memory>
#include <string>
#include <vector>

#include "balancer/nodes/node_table.h"

namespace tribune::test {

inline balancer::NodeState node(const std::string& id,
                                balancer::NodeCondition condition = balancer::NodeCondition::up) {
  balancer::NodeState state;
  state.address = std::make_shared<balancer::NodeAddress>(balancer::NodeAddress{id, "http://" + id});
  state.condition = condition;
  return state;
}

inline balancer::NodeTable table(std::vector<balancer::NodeState> nodes) {
  balancer::NodeTable made;
  made.nodes = std::move(nodes);
  made.index();
  return made;
}

}  // namespace tribune::test
