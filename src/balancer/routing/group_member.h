#pragma once
// Selects one member of a group for one viewer: in the order of the channel, the first member that takes viewers and
// has less than its share of the group's viewers; else the member with the fewest viewers for its share. Functions
// without state; the policies determine whether limits are applied and whether the verdicts are recorded.

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "balancer/nodes/group_load.h"
#include "balancer/nodes/hash_orders.h"
#include "balancer/routing/viewer_eligibility.h"

namespace tribune::balancer {

/// In groups with at least this many members, sums of the load are kept for several selections.
inline constexpr std::size_t kLargeGroup = 32;

/// Policy of a selection: a node whose limit is reached takes no viewers.
class RespectLimits {
 public:
  /// `limits`: null means that no node has one.
  explicit RespectLimits(const access::NodeLimits* limits) : limits_(limits) {}

  std::string_view refusal(const NodeState& node) {
    if (!limits_ || !limits_->is_full(node_ref(node))) return "";
    has_refused_ = true;
    return "full: the limit of the node or of its group is reached";
  }
  /// Whether a node that is otherwise usable was refused.
  bool has_refused() const { return has_refused_; }

 private:
  const access::NodeLimits* limits_;
  bool has_refused_ = false;
};

/// Policy of a selection: limits are ignored.
struct IgnoreLimits {
  std::string_view refusal(const NodeState&) const { return ""; }
};

/// Policy of a selection: verdicts are dropped.
struct NoTrace {
  static constexpr bool kIsRecording = false;
  void add(RoutingReason, std::string_view, std::string_view, std::string_view) const {}
};

/// Policy of a selection: verdicts are appended to a trace, and the selection continues after its choice.
struct RecordTrace {
  static constexpr bool kIsRecording = true;
  void add(RoutingReason rank, std::string_view group, std::string_view node, std::string_view verdict) const {
    entries.push_back({rank, std::string(group), std::string(node), std::string(verdict)});
  }
  SelectionTrace& entries;
};

/// Why the node takes no further viewer, as a literal; empty when it takes this one.
template <class Limits>
std::string_view refusal_of(const ViewerEligibility& viewer, Limits& limits, const NodeState& node) {
  const auto why = viewer.refusal(node);
  return why.empty() ? limits.refusal(node) : why;
}

/// Selects a member by the current load of all members. Null when none takes viewers.
template <class Limits, class Trace>
const NodeState* member_by_load(const ViewerEligibility& viewer, const NodeGroup& group, RoutingReason rank,
                                Limits& limits, const Trace& trace) {
  const auto& rules = viewer.rules();
  double weights = 0, viewers = 0;
  for (const auto index : group.members) {
    const auto& node = viewer.table().nodes[index];
    if (!refusal_of(viewer, limits, node).empty()) continue;
    weights += viewer.weight(node);
    viewers += static_cast<double>(node.sessions());
  }
  const NodeState* least_above_share = nullptr;
  double least = 0;
  const auto order = group.orders->of(viewer.question().channel);  // outlives the loop: not every order is kept
  for (const auto member : *order) {
    const auto& node = viewer.table().nodes[group.members[member]];
    if (const auto why = refusal_of(viewer, limits, node); !why.empty()) {
      trace.add(rank, group.id, node.address->id, why);
      continue;
    }
    const double fair = (viewers + 1) * viewer.weight(node) / weights, has = static_cast<double>(node.sessions());
    if (has < static_cast<double>(rules.balance_from) * viewer.ramp(node) || has + 1 <= rules.load_factor * fair)
      return &node;
    if constexpr (Trace::kIsRecording)
      trace.add(rank, group.id, node.address->id,
                fmt::format("has {} viewers, fair share is {:.1f}", node.sessions(), fair));
    if (!least_above_share || has / fair < least) std::tie(least_above_share, least) = std::pair(&node, has / fair);
  }
  return least_above_share;
}

/// The sums of a large group, up to 50 ms old.
inline std::shared_ptr<const GroupLoad> recent_load(const ViewerEligibility& viewer, const NodeGroup& group) {
  return group.loads->get(viewer.question().now, [&] {
    auto load = std::make_shared<GroupLoad>();
    load->made = viewer.question().now;
    load->members.reserve(group.members.size());
    for (const auto index : group.members) {
      const auto& node = viewer.table().nodes[index];
      const bool is_open = viewer.takes_viewers(node);
      load->members.push_back(
          {is_open ? node.viewers.get() : nullptr, node.last.sessions, viewer.weight(node), viewer.ramp(node)});
      if (!is_open) continue;
      load->weights += load->members.back().weight;
      load->viewers += static_cast<double>(node.sessions());
    }
    return load;
  });
}

/// Like member_by_load(), but by sums that are up to 50 ms old.
template <class Limits>
const NodeState* member_by_recent_load(const ViewerEligibility& viewer, const NodeGroup& group, Limits& limits) {
  const auto& rules = viewer.rules();
  const auto load = recent_load(viewer, group);
  const double each = (load->viewers + 1) / std::max(load->weights, 1e-9);
  const NodeState* least_above_share = nullptr;
  double least = 0;
  const auto order = group.orders->of(viewer.question().channel);
  for (const auto index : *order) {
    const auto& member = load->members[index];
    if (!member.viewers) continue;
    const double fair = each * member.weight,
                 has = static_cast<double>(
                     std::max(member.viewers->count.load(std::memory_order_relaxed), member.reported));
    const bool is_below_share =
        has < static_cast<double>(rules.balance_from) * member.ramp || has + 1 <= rules.load_factor * fair;
    if (!is_below_share && least_above_share && has / fair >= least) continue;
    const auto& node = viewer.table().nodes[group.members[index]];
    if (!refusal_of(viewer, limits, node).empty()) continue;
    if (is_below_share) return &node;
    std::tie(least_above_share, least) = std::pair(&node, has / fair);
  }
  return least_above_share;
}

}  // namespace tribune::balancer
