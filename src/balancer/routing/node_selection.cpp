#include "balancer/routing/node_selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <tuple>
#include <utility>

#include "balancer/routing/group_member.h"
#include "balancer/routing/ranked_candidates.h"
#include "balancer/routing/viewer_eligibility.h"

namespace tribune::balancer {
namespace {

/// A visitor of RankedCandidates: the first candidate that serves the viewer.
template <class Limits, class Trace>
class FirstServing {
 public:
  FirstServing(const ViewerEligibility& viewer, Limits& limits, const Trace& trace)
      : viewer_(viewer), limits_(limits), trace_(trace) {}

  bool operator()(const RankedCandidate& candidate) {
    consider(candidate);
    return Trace::kIsRecording || !choice_;
  }
  const std::optional<RoutingChoice>& choice() const { return choice_; }

 private:
  void consider(const RankedCandidate& candidate) {
    const auto rank = candidate.rank;
    if constexpr (Trace::kIsRecording)
      if (candidate.distance_km)
        trace_.add(rank, candidate.group_id, "", fmt::format("{:.0f} km away", *candidate.distance_km));
    if (candidate.node) return consider_node(*candidate.node, rank);
    if (candidate.group) return consider_group(*candidate.group, rank);
    trace_.add(rank, candidate.group_id, candidate.node_id, candidate.is_origin ? "serves" : candidate.none_because);
    if (candidate.is_origin) choice_ = RoutingChoice{nullptr, RoutingReason::origin};
  }

  void consider_node(const NodeState& node, RoutingReason rank) {
    if (viewer_.keeps(node)) return choose(node, rank);
    const auto why = refusal_of(viewer_, limits_, node);
    if (why.empty()) return choose(node, rank);
    trace_.add(rank, node.group_id(), node.address->id, why);
  }

  void consider_group(const NodeGroup& group, RoutingReason rank) {
    if (viewer_.keeps_current() && viewer_.current()->group_id() == group.id) return choose(*viewer_.current(), rank);
    const bool is_by_recent_load = !Trace::kIsRecording && group.members.size() >= kLargeGroup;
    const auto* member = is_by_recent_load ? member_by_recent_load(viewer_, group, limits_)
                                           : member_by_load(viewer_, group, rank, limits_, trace_);
    if (member) choose(*member, rank);
  }

  void choose(const NodeState& node, RoutingReason rank) {
    trace_.add(rank, node.group_id(), node.address->id,
               choice_                      ? "would serve"
               : &node == viewer_.current() ? "serves: the session is already on this node"
                                            : "serves");
    if (!choice_) choice_ = RoutingChoice{&node, rank};
  }

  const ViewerEligibility& viewer_;
  Limits& limits_;
  const Trace& trace_;
  std::optional<RoutingChoice> choice_;
};

/// Of silent nodes those count as equal whose last heartbeats are at most this far apart.
constexpr std::chrono::seconds kEquallySilent{30};

/// How bad a node is that cannot serve; smaller is better. A node that sends heartbeats comes before a silent one, and
/// that before a node whose host refuses connections.
auto badness(const ViewerEligibility& viewer, const NodeState& node, base::SteadyTime newest_heartbeat) {
  const bool is_silent = node.condition == NodeCondition::down;
  const int kind = node.is_lost_for_certain                                               ? 6
                   : is_silent && newest_heartbeat - node.last_heartbeat > kEquallySilent ? 5
                   : is_silent                                                            ? 4
                   : node.condition == NodeCondition::unhealthy                           ? 3
                   : node.draining_since                                                  ? 2
                   : unusable_reason(node, viewer.question().now).empty()                 ? 0
                                                                                          : 1;
  return std::tuple(!viewer.may_use(node.group_id()), viewer.is_gone(node), kind);
}

/// The used share of a node's capacity. Every viewer counts as 1 Mbit/s beside the last heartbeat's traffic, so that
/// viewers who arrive between two heartbeats spread, too.
double fallback_load(const NodeState& node) {
  return node.utilisation() + static_cast<double>(node.sessions()) / std::max(node.capacity_mbps, 1.0);
}

/// The viewer's node while none is better, otherwise the one with the most free capacity of the best.
template <class Trace>
RoutingChoice least_bad(const ViewerEligibility& viewer, const Trace& trace) {
  const auto& nodes = viewer.table().nodes;
  const auto has_address = [](const NodeState& node) { return !node.address->url.empty(); };
  base::SteadyTime newest{};
  for (const auto& node : nodes)
    if (has_address(node)) newest = std::max(newest, node.last_heartbeat);
  const NodeState* best = nullptr;
  for (const auto& node : nodes) {
    if (!has_address(node)) continue;
    const auto key = [&](const NodeState& n) {
      return std::tuple(badness(viewer, n, newest), &n == viewer.current() ? -1.0 : fallback_load(n));
    };
    if (!best || key(node) < key(*best)) best = &node;
  }
  if (!best) return {};
  trace.add(RoutingReason::least_bad, best->group_id(), best->address->id,
            "serves: no node is usable, and this node has the least severe problem");
  return {best, RoutingReason::least_bad};
}

/// The choice by the ranks; empty when no node is usable.
template <class Trace>
std::optional<RoutingChoice> choose_by_ranks(const ViewerEligibility& viewer, const Trace& trace) {
  if (viewer.question().prefers_origin && !Trace::kIsRecording) return std::nullopt;
  const RankedCandidates candidates(viewer);
  RespectLimits respect(viewer.question().limits);
  FirstServing within_limits(viewer, respect, trace);
  candidates.for_each(within_limits);
  if (within_limits.choice() || !respect.has_refused()) return within_limits.choice();
  // Every usable node is full.
  if (viewer.keeps_current()) return RoutingChoice{viewer.current(), RoutingReason::default_group};
  IgnoreLimits ignore;
  FirstServing beyond_limits(viewer, ignore, trace);
  candidates.for_each(beyond_limits);
  auto choice = beyond_limits.choice();
  if (choice) choice->is_full = true;
  return choice;
}

template <class Trace>
RoutingChoice choose(const NodeTable& table, const RoutingView& view, const RoutingQuestion& question,
                     const Trace& trace) {
  const ViewerEligibility viewer(table, view, question);
  auto choice = choose_by_ranks(viewer, trace);
  if (!question.may_use_origin) {
    if (!choice || Trace::kIsRecording) trace.add(RoutingReason::origin, "", "", "the channel does not allow it");
  } else {
    trace.add(RoutingReason::origin, "", "", choice ? "would serve" : "serves: no node in any group can serve");
    if (!choice) choice = RoutingChoice{nullptr, RoutingReason::origin};
  }
  if (!choice) choice = least_bad(viewer, trace);
  choice->stays = choice->node && choice->node == viewer.current();
  return *choice;
}

/// A visitor of RankedCandidates: every node that takes the viewer, whatever its limits, to the first without a limit.
class AlternativesList {
 public:
  explicit AlternativesList(const ViewerEligibility& viewer) : viewer_(viewer) {}

  bool operator()(const RankedCandidate& candidate) {
    if (candidate.node && (viewer_.keeps(*candidate.node) || viewer_.refusal(*candidate.node).empty()))
      add(*candidate.node, candidate.rank);
    if (candidate.group) add_members(*candidate.group, candidate.rank);
    return !is_complete_;
  }
  Alternatives take() { return std::move(found_); }

 private:
  void add(const NodeState& node, RoutingReason rank) {
    const auto ref = node_ref(node);
    if (std::find(found_.nodes.begin(), found_.nodes.end(), ref) != found_.nodes.end()) return;
    found_.nodes.push_back(ref);
    found_.ranks.push_back(rank);
    is_complete_ = found_.nodes.size() >= access::kMaxNodeChoices || !viewer_.question().limits->is_limited(ref);
  }

  void add_members(const NodeGroup& group, RoutingReason rank) {
    if (viewer_.keeps_current() && viewer_.current()->group_id() == group.id) return add(*viewer_.current(), rank);
    if (group.members.size() >= kLargeGroup) {
      IgnoreLimits ignore;
      if (const auto* member = member_by_recent_load(viewer_, group, ignore)) add(*member, rank);
      return;
    }
    const auto order = group.orders->of(viewer_.question().channel);
    for (auto member = order->begin(); member != order->end() && !is_complete_; ++member) {
      const auto& node = viewer_.table().nodes[group.members[*member]];
      if (viewer_.refusal(node).empty()) add(node, rank);
    }
  }

  const ViewerEligibility& viewer_;
  Alternatives found_;
  bool is_complete_ = false;
};

/// A visitor of RankedCandidates: the state of each candidate's group, each group once.
class GroupRanking {
 public:
  GroupRanking(const ViewerEligibility& viewer, std::size_t max_groups)
      : viewer_(viewer), limits_(viewer.question().limits), max_groups_(max_groups) {}

  bool operator()(const RankedCandidate& candidate) {
    const auto* group = candidate.node ? viewer_.table().find_group(candidate.group_id) : candidate.group;
    const auto is_same = [&](const GroupStanding& standing) { return standing.group == group->id; };
    if (group && std::none_of(found_.begin(), found_.end(), is_same)) add(*group, candidate.rank);
    return found_.size() < max_groups_;
  }
  std::vector<GroupStanding> take() { return std::move(found_); }

 private:
  void add(const NodeGroup& group, RoutingReason rank) {
    GroupStanding standing{group.id, rank};
    std::size_t open_nodes = 0;
    for (const auto index : group.members) {
      const auto& node = viewer_.table().nodes[index];
      if (viewer_.takes_viewers(node)) ++open_nodes;
      if (!standing.is_open) standing.is_open = viewer_.keeps(node) || refusal_of(viewer_, limits_, node).empty();
    }
    standing.is_strained = 2 * open_nodes <= group.members.size();
    found_.push_back(standing);
  }

  const ViewerEligibility& viewer_;
  RespectLimits limits_;
  const std::size_t max_groups_;
  std::vector<GroupStanding> found_;
};

}  // namespace

RoutingChoice choose_node(const NodeTable& table, const RoutingView& view, const RoutingQuestion& question) {
  return choose(table, view, question, NoTrace{});
}

RoutingChoice trace_choice(const NodeTable& table, const RoutingView& view, const RoutingQuestion& question,
                           SelectionTrace& trace) {
  return choose(table, view, question, RecordTrace{trace});
}

Alternatives alternatives(const NodeTable& table, const RoutingView& view, const RoutingQuestion& question) {
  const ViewerEligibility viewer(table, view, question);
  AlternativesList list(viewer);
  RankedCandidates(viewer).for_each(list);
  return list.take();
}

std::vector<GroupStanding> rank_groups(const NodeTable& table, const RoutingView& view, const RoutingQuestion& question,
                                       std::size_t max_groups) {
  if (max_groups == 0) return {};
  const ViewerEligibility viewer(table, view, question);
  GroupRanking ranking(viewer, max_groups);
  RankedCandidates(viewer).for_each_without_pathway(ranking);
  return ranking.take();
}

double ramp_factor(const NodeState& node, const RoutingRules& rules, base::SteadyTime now) {
  if (!node.returned || rules.ramp.count() <= 0) return 1;
  const double passed = std::chrono::duration<double>(now - *node.returned) / std::chrono::duration<double>(rules.ramp);
  return std::clamp(rules.ramp_start + (1 - rules.ramp_start) * passed, rules.ramp_start, 1.0);
}

access::NodeRef node_ref(const NodeState& node) { return {node.limit_group(), node.address->id}; }

}  // namespace tribune::balancer
