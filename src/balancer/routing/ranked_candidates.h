#pragma once
// The candidates of a selection as a sequence in the order of the ranks (node_selection.h). Each function passes one
// candidate after the other to a visitor, `bool(const RankedCandidate&)`, and ends as soon as the visitor returns
// false; ranks after that candidate are not evaluated. Nothing is allocated per candidate. The sequence neither decides
// which candidate serves nor considers limits.

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "balancer/routing/viewer_eligibility.h"

namespace tribune::balancer {

/// A node, a group (all of its members are candidates), the origin, or the reason why a rank has no candidate. The
/// views are literals or point into the table, the configuration or the question.
struct RankedCandidate {
  RoutingReason rank{};
  std::string_view group_id{}, node_id{};
  const NodeState* node = nullptr;
  const NodeGroup* group = nullptr;
  bool is_origin = false;
  std::string_view none_because{};      // with neither node, group nor origin
  std::optional<double> distance_km{};  // of the group from the client, for the rank nearest_group
};

class RankedCandidates {
 public:
  explicit RankedCandidates(const ViewerEligibility& viewer) : viewer_(viewer), question_(viewer.question()) {}

  /// All ranks of nodes: the pathway, then for_each_without_pathway().
  template <class Visit>
  bool for_each(Visit&& visit) const {
    return pathway(visit) && for_each_without_pathway(visit);
  }

  /// Receipts, the named cache, zones, nearest groups, default groups.
  template <class Visit>
  bool for_each_without_pathway(Visit&& visit) const {
    return receipts(visit) && named_cache(visit) && zones(visit) && nearest_groups(visit) && default_groups(visit);
  }

 private:
  static RankedCandidate none(RoutingReason rank, std::string_view why, std::string_view group = {},
                              std::string_view node = {}) {
    return {.rank = rank, .group_id = group, .node_id = node, .none_because = why};
  }

  /// A node by its id. `is_open`: the client may use it regardless of the rules for its group.
  RankedCandidate node_candidate(std::string_view id, RoutingReason rank, bool is_open) const {
    const auto* node = viewer_.table().find(id);
    if (!node) return none(rank, "no node has this id", {}, id);
    if (!is_open && !viewer_.may_use(node->group_id()))
      return none(rank, "this client may not use the group", node->group_id(), id);
    return {.rank = rank, .group_id = node->group_id(), .node_id = id, .node = node};
  }

  RankedCandidate group_candidate(std::string_view id, RoutingReason rank) const {
    const auto* group = viewer_.table().find_group(id);
    if (!group) return none(rank, "no node is in this group", id);
    return {.rank = rank, .group_id = id, .group = group};
  }

  /// The group's nodes that the client proves or names come first, then all of its members.
  template <class Visit>
  bool pathway(Visit& visit) const {
    constexpr auto kRank = RoutingReason::pathway;
    const auto id = question_.pathway;
    if (id.empty()) return true;
    if (id == kOriginPathway) {
      if (!question_.may_use_origin) return visit(none(kRank, "the channel does not allow its origin", id));
      return visit(RankedCandidate{.rank = kRank, .group_id = id, .is_origin = true});
    }
    const auto group = group_candidate(id, kRank);
    if (!group.group) return visit(group);
    const auto is_member = [&](std::string_view node) {
      const auto* state = viewer_.table().find(node);
      return state && state->group_id() == id;
    };
    const bool is_proved = std::any_of(question_.proved.begin(), question_.proved.end(), is_member);
    if (!is_proved && !viewer_.may_use(id)) return visit(none(kRank, "this client may not use the group", id));
    for (const auto node : question_.proved)
      if (is_member(node) && !visit(node_candidate(node, kRank, true))) return false;
    if (is_member(question_.named) && !visit(node_candidate(question_.named, kRank, is_proved))) return false;
    return visit(group);
  }

  template <class Visit>
  bool receipts(Visit& visit) const {
    constexpr auto kRank = RoutingReason::receipt;
    if (question_.proved.empty()) return visit(none(kRank, "the client sent no valid receipt"));
    for (const auto id : question_.proved)
      if (!visit(node_candidate(id, kRank, true))) return false;
    return true;
  }

  template <class Visit>
  bool named_cache(Visit& visit) const {
    constexpr auto kRank = RoutingReason::client_cache;
    if (question_.named.empty()) return visit(none(kRank, "the client names no cache node"));
    return visit(node_candidate(question_.named, kRank, false));
  }

  template <class Visit>
  bool zones(Visit& visit) const {
    const auto& match = viewer_.zones();
    if (match.deep && !visit(group_candidate(match.deep->group, RoutingReason::deep_zone))) return false;
    if (match.ordinary && !visit(group_candidate(match.ordinary->group, RoutingReason::zone))) return false;
    for (const auto* zone : {match.deep, match.ordinary}) {
      if (!zone) continue;
      for (const auto& group : zone->fallback)
        if (!visit(group_candidate(group, RoutingReason::fallback_group))) return false;
    }
    if (match.deep || match.ordinary) return true;
    return visit(none(RoutingReason::zone,
                      viewer_.view().zones ? "no zone contains the client's address" : "no zone file is configured"));
  }

  template <class Visit>
  bool nearest_groups(Visit& visit) const {
    constexpr auto kRank = RoutingReason::nearest_group;
    const auto& geography = viewer_.view().geography;
    const auto& coordinates = viewer_.rules().group_coordinates;
    if (!geography) return visit(none(kRank, "no geography database is configured"));
    if (coordinates.empty()) return visit(none(kRank, "no group has coordinates"));
    if (!question_.client) return visit(none(kRank, "the client's address is unknown"));
    const auto here = geography->find(*question_.client);
    if (!here) return visit(none(kRank, "the geography database has no entry for the client's address"));
    std::vector<std::pair<double, std::string_view>> near;
    for (const auto& [group, position] : coordinates)
      if (viewer_.may_use(group)) near.emplace_back(distance_km(*here, position), group);
    const auto end = near.begin() + static_cast<std::ptrdiff_t>(std::min(kMaxNearestGroups, near.size()));
    std::partial_sort(near.begin(), end, near.end());
    for (auto it = near.begin(); it != end; ++it) {
      auto candidate = group_candidate(it->second, kRank);
      candidate.distance_km = it->first;
      if (!visit(candidate)) return false;
    }
    return true;
  }

  template <class Visit>
  bool default_groups(Visit& visit) const {
    constexpr auto kRank = RoutingReason::default_group;
    const auto& configured = viewer_.rules().default_groups;
    for (const auto& group : configured)
      if (!visit(group_candidate(group, kRank))) return false;
    if (!configured.empty()) return true;
    for (const auto& group : viewer_.table().groups)
      if (viewer_.may_use(group.id) && !visit(RankedCandidate{.rank = kRank, .group_id = group.id, .group = &group}))
        return false;
    return true;
  }

  static constexpr std::size_t kMaxNearestGroups = 3;
  const ViewerEligibility& viewer_;
  const RoutingQuestion& question_;
};

}  // namespace tribune::balancer
