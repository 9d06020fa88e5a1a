#pragma once
// Node tables and zones for tests.

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "balancer/nodes/node_table.h"
#include "balancer/routing/node_selection.h"

namespace tribune::test {

inline balancer::NodeState node(const std::string& id,
                                balancer::NodeCondition condition = balancer::NodeCondition::up) {
  balancer::NodeState state;
  state.address = std::make_shared<balancer::NodeAddress>(balancer::NodeAddress{id, "http://" + id});
  state.condition = condition;
  return state;
}

inline balancer::NodeState in_group(const std::string& id, const std::string& group,
                                    balancer::NodeCondition condition = balancer::NodeCondition::up) {
  auto made = node(id, condition);
  made.group = group;
  made.capacity_mbps = 1'000;
  return made;
}

/// Rules by this zone file alone.
inline balancer::RoutingView view_with(std::string_view zones_text) {
  balancer::RoutingView view;
  auto zones = balancer::Zones::parse(zones_text);
  REQUIRE(zones);
  view.zones = std::make_shared<balancer::Zones>(std::move(*zones));
  return view;
}

inline balancer::NodeTable table(std::vector<balancer::NodeState> nodes) {
  balancer::NodeTable made;
  made.nodes = std::move(nodes);
  made.index();
  return made;
}

}  // namespace tribune::test
