#include "balancer/routing/nodes_to_ping.h"

#include <algorithm>
#include <string_view>

#include "balancer/nodes/hash_orders.h"
#include "balancer/routing/ranked_candidates.h"
#include "balancer/routing/viewer_eligibility.h"

namespace tribune::balancer {
namespace {

using Nodes = std::vector<const NodeState*>;

constexpr std::size_t kMaxOfGroup = 2;

/// The first nodes of the group that take this viewer, in the order of the channel.
Nodes first_nodes(const ViewerEligibility& viewer, const NodeGroup& group, std::size_t most) {
  Nodes nodes;
  const auto order = group.orders->of(viewer.question().channel);
  for (auto member = order->begin(); member != order->end() && nodes.size() < most; ++member) {
    const auto& node = viewer.table().nodes[group.members[*member]];
    if (viewer.refusal(node).empty()) nodes.push_back(&node);
  }
  return nodes;
}

/// A visitor of RankedCandidates: the first nodes of each group, each group once.
class OpenGroups {
 public:
  explicit OpenGroups(const ViewerEligibility& viewer) : viewer_(viewer) {}

  bool operator()(const RankedCandidate& candidate) {
    if (!candidate.group || std::find(seen_.begin(), seen_.end(), candidate.group) != seen_.end()) return true;
    seen_.push_back(candidate.group);
    auto nodes = first_nodes(viewer_, *candidate.group, kMaxOfGroup);
    if (!nodes.empty()) found_.push_back(std::move(nodes));
    return found_.size() < kMaxNodesToPing;
  }
  std::vector<Nodes> take() { return std::move(found_); }

 private:
  const ViewerEligibility& viewer_;
  std::vector<const NodeGroup*> seen_;
  std::vector<Nodes> found_;
};

/// One node of each group that is closed to the viewer.
Nodes closed_nodes(const ViewerEligibility& viewer) {
  Nodes found;
  if (!viewer.view().zones) return found;
  std::vector<std::string_view> seen;
  const auto add = [&](std::string_view id) {
    if (found.size() >= kMaxClosedNodesToPing || viewer.may_use(id)) return;
    if (std::find(seen.begin(), seen.end(), id) != seen.end()) return;
    seen.push_back(id);
    if (const auto* group = viewer.table().find_group(id))
      for (const auto* node : first_nodes(viewer, *group, 1)) found.push_back(node);
  };
  for (const bool is_deep : {true, false}) {
    for (const auto& zone : viewer.view().zones->all()) {
      if (found.size() >= kMaxClosedNodesToPing) return found;
      if (zone.is_deep != is_deep) continue;
      add(zone.group);
      for (const auto& fallback : zone.fallback) add(fallback);
    }
  }
  return found;
}

}  // namespace

std::vector<const NodeState*> nodes_to_ping(const NodeTable& table, const RoutingView& view,
                                            const RoutingQuestion& question) {
  const ViewerEligibility viewer(table, view, question);
  OpenGroups visitor(viewer);
  RankedCandidates(viewer).for_each_without_pathway(visitor);
  auto open = visitor.take();
  const auto closed = closed_nodes(viewer);
  const auto room = kMaxNodesToPing - closed.size();
  if (open.size() > room) open.resize(room);
  auto second_nodes = room - open.size();  // each group has its first node before any has its second one
  Nodes list;
  for (const auto& nodes : open) {
    list.push_back(nodes.front());
    if (nodes.size() < kMaxOfGroup || second_nodes == 0) continue;
    list.push_back(nodes[1]);
    --second_nodes;
  }
  list.insert(list.end(), closed.begin(), closed.end());
  return list;
}

}  // namespace tribune::balancer
