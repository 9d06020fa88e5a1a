#pragma once
// Which nodes and groups one viewer may use, before limits are considered. Immutable once made; used for one selection,
// and refers to the table, the configuration and the question.

#include <string_view>

#include "balancer/nodes/node_table.h"
#include "balancer/routing/node_selection.h"
#include "balancer/routing/zones.h"

namespace tribune::balancer {

/// Why a node serves no viewers now, as a literal; empty when it can serve.
std::string_view unusable_reason(const NodeState&, base::SteadyTime now);

class ViewerEligibility {
 public:
  ViewerEligibility(const NodeTable&, const RoutingView&, const RoutingQuestion&);

  const NodeTable& table() const { return table_; }
  const RoutingView& view() const { return view_; }
  const RoutingRules& rules() const { return view_.rules; }
  const RoutingQuestion& question() const { return question_; }
  const Zones::Match& zones() const { return zones_; }

  /// The node that serves this session; null when there is none.
  const NodeState* current() const { return current_; }
  /// Whether the viewer has a current node and need not leave it.
  bool keeps_current() const { return keeps_current_; }
  bool keeps(const NodeState& node) const { return keeps_current_ && &node == current_; }

  /// Whether the client reports the node, or every node, as unreachable.
  bool is_gone(const NodeState& node) const {
    return question_.prefers_origin || (!question_.gone.empty() && node.address->id == question_.gone);
  }
  /// Whether the viewer may use the group: groups that zones name serve only the clients that a rule sends there.
  bool may_use(std::string_view group) const;
  /// Why the node takes no further viewer, as a literal; empty when it takes this one. Limits are not considered.
  std::string_view refusal(const NodeState&) const;
  /// Whether the node takes viewers in general: it is usable, not drained and not overloaded.
  bool takes_viewers(const NodeState&) const;

  double ramp(const NodeState& node) const { return ramp_factor(node, view_.rules, question_.now); }
  /// The node's share of its group's viewers, relative to the other members.
  double weight(const NodeState& node) const { return (node.capacity_mbps > 0 ? node.capacity_mbps : 1) * ramp(node); }

 private:
  bool may_stay(const NodeState&) const;

  const NodeTable& table_;
  const RoutingView& view_;
  const RoutingQuestion& question_;
  Zones::Match zones_;
  const NodeState* current_ = nullptr;
  bool keeps_current_ = false;
};

}  // namespace tribune::balancer
