#include "balancer/nodes/node_table.h"

#include "balancer/nodes/group_load.h"
#include "balancer/nodes/hash_orders.h"

namespace tribune::balancer {

std::string_view to_string(NodeCondition condition) {
  switch (condition) {
    case NodeCondition::unheard: return "unheard";
    case NodeCondition::up: return "up";
    case NodeCondition::unhealthy: return "unhealthy";
    case NodeCondition::down: return "down";
  }
  return "unknown";
}

double NodeState::utilisation() const {
  constexpr std::int64_t kEnoughToTell = 20;
  if (capacity_mbps <= 0) return 0;
  const auto then = std::max(viewers_at_heartbeat, last.sessions);
  const double each = then >= kEnoughToTell ? last.sent_mbps / static_cast<double>(then) : 0;
  const auto came = std::max<std::int64_t>(viewers->count.load(std::memory_order_relaxed) - viewers_at_heartbeat, 0);
  return (last.sent_mbps + static_cast<double>(came) * each) / capacity_mbps;
}

void NodeTable::index(const NodeTable* before) {
  places_.clear();
  group_places_.clear();
  groups.clear();
  std::unordered_map<std::string, std::size_t> seen;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    places_.emplace(nodes[i].address->id, i);
    const auto [found, is_new] = seen.emplace(nodes[i].group_id(), groups.size());
    if (is_new) groups.push_back({nodes[i].group_id(), {}, nullptr, std::make_shared<GroupLoads>()});
    groups[found->second].members.push_back(i);
  }
  for (std::size_t g = 0; g < groups.size(); ++g) {
    auto& group = groups[g];
    group_places_.emplace(group.id, g);
    std::vector<HashMember> members;
    members.reserve(group.members.size());
    for (const auto place : group.members) members.push_back({nodes[place].address->id, nodes[place].capacity_mbps});
    const auto* old = before ? before->find_group(group.id) : nullptr;
    if (old && old->orders && old->orders->members() == members)
      group.orders = old->orders;
    else
      group.orders = std::make_shared<HashOrders>(std::move(members));
  }
}

bool NodeTable::has_usable_node() const {
  return std::any_of(nodes.begin(), nodes.end(), [](const NodeState& node) { return node.is_usable(); });
}

const NodeState* NodeTable::find(std::string_view id) const {
  const auto found = places_.find(id);
  return found == places_.end() ? nullptr : &nodes[found->second];
}

const NodeGroup* NodeTable::find_group(std::string_view id) const {
  const auto found = group_places_.find(id);
  return found == group_places_.end() ? nullptr : &groups[found->second];
}

}  // namespace tribune::balancer
