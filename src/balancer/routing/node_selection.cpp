#include "balancer/routing/node_selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "balancer/nodes/group_load.h"
#include "balancer/nodes/hash_orders.h"
#include "base/hash.h"

namespace tribune::balancer {
namespace {

constexpr std::size_t kNearestGroups = 3;
/// From so many members on a group's load is summed up for several decisions.
constexpr std::size_t kLargeGroup = 32;

std::string_view trouble(const NodeState& node, base::SteadyTime now) {
  if (node.address->url.empty()) return "has no address yet";
  if (node.condition == NodeCondition::down) return "down";
  if (node.condition == NodeCondition::unhealthy) return "unhealthy";
  if (node.held_until && now < *node.held_until) return "held: it came and went too often";
  return "";
}

/// One decision.
class Decision {
 public:
  Decision(const NodeTable& table, const RoutingView& view, const RoutingQuestion& question, SelectionTrace* seen)
      : table_(table), view_(view), rules_(view.rules), question_(question), seen_(seen) {
    if (view.zones && question.client) match_ = view.zones->find(*question.client);
    current_ = question.current.empty() ? nullptr : table.find(question.current);
    keeps_current_ = current_ && may_keep(*current_);
  }

  RoutingChoice make() {
    try_ranks();
    if (!choice_ && met_full_) try_full();
    if (wants_more()) try_origin();
    if (!choice_) choice_ = least_bad();
    choice_->stays = choice_->node && choice_->node == current_;
    return *choice_;
  }

  std::vector<GroupStanding> standings(std::size_t most) {
    std::vector<GroupStanding> found;
    standings_ = &found;
    most_standings_ = most;
    try_ranks();
    return found;
  }

  Alternatives list() {
    Alternatives found;
    alternatives_ = &found;
    minds_limits_ = false;
    try_ranks();
    return found;
  }

 private:
  void try_ranks() {
    try_pathway();
    if (wants_more()) try_proved();
    if (wants_more()) try_named();
    if (wants_more()) try_zones();
    if (wants_more()) try_nearest();
    if (wants_more()) try_defaults();
  }

  /// Every node that is well is full.
  void try_full() {
    if (keeps_current_) {
      choice_ = RoutingChoice{current_, RoutingReason::default_group};
      return;
    }
    minds_limits_ = false;
    try_ranks();
    if (choice_) choice_->is_full = true;
  }

  bool wants_more() const { return (!choice_ && !(standings_ && standings_->size() >= most_standings_)) || seen_; }

  void note(RoutingReason rank, std::string_view group, std::string_view node, std::string_view verdict) {
    if (seen_) seen_->push_back({rank, std::string(group), std::string(node), std::string(verdict)});
  }

  void add(const NodeState& node, RoutingReason rank) {
    auto& [places, ranks] = *alternatives_;
    const auto place = place_of(node);
    if (std::find(places.begin(), places.end(), place) != places.end()) return;
    places.push_back(place);
    ranks.push_back(rank);
    if (places.size() >= access::kMostPlaces || !question_.limits->is_limited(place))
      choice_ = RoutingChoice{&node, rank};
  }

  void stand(const NodeGroup& group, RoutingReason rank) {
    auto& found = *standings_;
    const bool is_known =
        std::any_of(found.begin(), found.end(), [&](const GroupStanding& s) { return s.group == group.id; });
    if (is_known || found.size() >= most_standings_) return;
    GroupStanding standing{group.id, rank};
    std::size_t well = 0;
    for (const auto place : group.members) {
      const auto& node = table_.nodes[place];
      if (trouble(node, question_.now).empty() && !node.draining_since && node.utilisation() < rules_.overload) ++well;
      if (!standing.is_open) standing.is_open = (&node == current_ && keeps_current_) || refusal(node).empty();
    }
    standing.is_strained = 2 * well <= group.members.size();
    found.push_back(standing);
  }

  void take(const NodeState& node, RoutingReason rank) {
    if (alternatives_) return add(node, rank);
    note(rank, node.group_id(), node.address->id,
         choice_             ? "would serve"
         : &node == current_ ? "serves: it is the session's node"
                             : "serves");
    if (!choice_) choice_ = RoutingChoice{&node, rank};
  }

  bool is_gone(const NodeState& node) const { return !question_.gone.empty() && node.address->id == question_.gone; }

  /// Whether the time has come for this viewer to leave a node that is drained.
  bool must_leave(const NodeState& node) const {
    if (!node.draining_since) return false;
    const double share =
        static_cast<double>(base::multiplicative_hash(question_.session) >> 11) / static_cast<double>(1ull << 53);
    return question_.now - *node.draining_since >=
           std::chrono::duration_cast<base::SteadyTime::duration>(rules_.drain_time * share);
  }

  bool may_keep(const NodeState& node) const {
    return trouble(node, question_.now).empty() && !must_leave(node) && !is_gone(node);
  }

  /// Why this node takes no further viewer; empty when it does.
  std::string_view refusal(const NodeState& node) {
    if (const auto why = trouble(node, question_.now); !why.empty()) return why;
    if (node.draining_since) return "drained";
    if (is_gone(node)) return "the client says that it is gone";
    // Who has a good node comes back to a better one as that ramps up; who has none is served where there is room at
    // all.
    if (keeps_current_ && node.utilisation() >= rules_.return_below * ramp_factor(node, rules_, question_.now))
      return "too busy to take anybody back";
    if (node.utilisation() >= rules_.overload) return "overloaded";
    if (minds_limits_ && question_.limits && question_.limits->is_full(place_of(node))) {
      met_full_ = true;
      return "full: its limit, or its group's, is reached";
    }
    return "";
  }

  bool is_named_by(const Zone* zone, std::string_view group) const {
    return zone && (zone->group == group ||
                    std::find(zone->fallback.begin(), zone->fallback.end(), group) != zone->fallback.end());
  }

  /// Whether this client may use a group: the groups of zones are for those whom a rule sends there.
  bool may_use(std::string_view group) const {
    if (!view_.zones || !view_.zones->names_group(group)) return true;
    const auto& defaults = rules_.default_groups;
    return is_named_by(match_.deep, group) || is_named_by(match_.ordinary, group) ||
           std::find(defaults.begin(), defaults.end(), group) != defaults.end();
  }

  void try_node(std::string_view id, RoutingReason rank, bool is_proved) {
    const auto* node = table_.find(id);
    if (!node) return note(rank, "", id, "no such node");
    if (!is_proved && !may_use(node->group_id())) return note(rank, node->group_id(), id, "not open to this client");
    if (standings_) {
      if (const auto* group = table_.find_group(node->group_id())) stand(*group, rank);
      return;
    }
    if (node == current_ && keeps_current_) return take(*node, rank);
    const auto why = refusal(*node);
    if (!why.empty()) return note(rank, node->group_id(), id, why);
    take(*node, rank);
  }

  /// The player was offered pathways and follows one: that group's nodes come first, and of them those that it reaches.
  void try_pathway() {
    const auto id = question_.pathway;
    if (id.empty() || standings_) return;
    if (id == kOriginPathway) return try_origin_pathway();
    const auto* group = table_.find_group(id);
    if (!group) return note(RoutingReason::pathway, id, "", "no node is in this group");
    const auto is_member = [&](std::string_view node) {
      const auto* state = table_.find(node);
      return state && state->group_id() == id;
    };
    const bool is_proved = std::any_of(question_.proved.begin(), question_.proved.end(), is_member);
    if (!is_proved && !may_use(id)) return note(RoutingReason::pathway, id, "", "not open to this client");
    for (const auto node : question_.proved)
      if (wants_more() && is_member(node)) try_node(node, RoutingReason::pathway, true);
    if (wants_more() && is_member(question_.named)) try_node(question_.named, RoutingReason::pathway, is_proved);
    if (wants_more()) try_members(*group, RoutingReason::pathway);
  }

  void try_origin_pathway() {
    if (!question_.may_use_origin)
      return note(RoutingReason::pathway, question_.pathway, "", "the channel does not allow its origin");
    if (alternatives_) return;
    note(RoutingReason::pathway, question_.pathway, "", "serves");
    choice_ = RoutingChoice{nullptr, RoutingReason::origin};
  }

  void try_proved() {
    if (question_.proved.empty()) note(RoutingReason::receipt, "", "", "the client shows no receipt that holds");
    for (const auto id : question_.proved)
      if (wants_more()) try_node(id, RoutingReason::receipt, true);
  }

  void try_named() {
    if (question_.named.empty()) return note(RoutingReason::client_cache, "", "", "the client names no cache");
    try_node(question_.named, RoutingReason::client_cache, false);
  }

  void try_zones() {
    for (const auto& [zone, rank] :
         {std::pair{match_.deep, RoutingReason::deep_zone}, std::pair{match_.ordinary, RoutingReason::zone}})
      if (zone && wants_more()) try_group(zone->group, rank);
    for (const auto* zone : {match_.deep, match_.ordinary}) {
      if (!zone) continue;
      for (const auto& group : zone->fallback)
        if (wants_more()) try_group(group, RoutingReason::fallback_group);
    }
    if (!match_.deep && !match_.ordinary)
      note(RoutingReason::zone, "", "", view_.zones ? "no zone holds the client's address" : "there is no zone file");
  }

  void try_nearest() {
    if (!view_.geography) return note(RoutingReason::nearest_group, "", "", "there is no geography database");
    if (rules_.places.empty()) return note(RoutingReason::nearest_group, "", "", "no group has a place");
    if (!question_.client) return note(RoutingReason::nearest_group, "", "", "the client's address is not known");
    const auto here = view_.geography->find(*question_.client);
    if (!here) return note(RoutingReason::nearest_group, "", "", "the database does not know the client's address");
    std::vector<std::pair<double, std::string_view>> near;
    for (const auto& [group, place] : rules_.places)
      if (may_use(group)) near.emplace_back(distance_km(*here, place), group);
    const auto end = near.begin() + static_cast<std::ptrdiff_t>(std::min(kNearestGroups, near.size()));
    std::partial_sort(near.begin(), end, near.end());
    for (auto it = near.begin(); it != end && wants_more(); ++it) {
      if (seen_) note(RoutingReason::nearest_group, it->second, "", fmt::format("{:.0f} km away", it->first));
      try_group(it->second, RoutingReason::nearest_group);
    }
  }

  void try_defaults() {
    for (const auto& group : rules_.default_groups)
      if (wants_more()) try_group(group, RoutingReason::default_group);
    if (!rules_.default_groups.empty()) return;
    for (const auto& group : table_.groups)
      if (wants_more() && may_use(group.id)) try_members(group, RoutingReason::default_group);
  }

  void try_group(std::string_view id, RoutingReason rank) {
    const auto* group = table_.find_group(id);
    if (!group) return note(rank, id, "", "no node is in this group");
    try_members(*group, rank);
  }

  void try_origin() {
    if (!question_.may_use_origin) return note(RoutingReason::origin, "", "", "the channel does not allow it");
    note(RoutingReason::origin, "", "", choice_ ? "would serve" : "serves: no node of any group can");
    if (!choice_) choice_ = RoutingChoice{nullptr, RoutingReason::origin};
  }

  double weight(const NodeState& node) const {
    return (node.capacity_mbps > 0 ? node.capacity_mbps : 1) * ramp_factor(node, rules_, question_.now);
  }

  /// In the order of the channel: the first that takes viewers and has less than its share; else the one least above
  /// it.
  void try_members(const NodeGroup& group, RoutingReason rank) {
    if (standings_) return stand(group, rank);
    if (keeps_current_ && current_->group_id() == group.id) return take(*current_, rank);
    if (group.members.size() >= kLargeGroup && !seen_) return try_many(group, rank);
    double weights = 0, viewers = 0;
    for (const auto place : group.members) {
      const auto& node = table_.nodes[place];
      if (!refusal(node).empty()) continue;
      weights += weight(node);
      viewers += static_cast<double>(node.sessions());
    }
    const NodeState* fullest_allowed = nullptr;
    double least = 0;
    const auto order = group.orders->of(question_.channel);  // outlives the loop: not every order is kept
    for (const auto member : *order) {
      const auto& node = table_.nodes[group.members[member]];
      if (const auto why = refusal(node); !why.empty()) {
        note(rank, group.id, node.address->id, why);
        continue;
      }
      if (alternatives_) {
        add(node, rank);
        if (choice_) return;
        continue;
      }
      const double fair = (viewers + 1) * weight(node) / weights, has = static_cast<double>(node.sessions());
      const bool has_room = has < static_cast<double>(rules_.balance_from) * ramp_factor(node, rules_, question_.now) ||
                            has + 1 <= rules_.load_factor * fair;
      if (has_room) return take(node, rank);
      if (seen_)
        note(rank, group.id, node.address->id,
             fmt::format("has {} viewers, its share is {:.1f}", node.sessions(), fair));
      if (!fullest_allowed || has / fair < least) std::tie(fullest_allowed, least) = std::pair(&node, has / fair);
    }
    if (fullest_allowed) take(*fullest_allowed, rank);
  }

  std::shared_ptr<const GroupLoad> load_of(const NodeGroup& group) const {
    return group.loads->get(question_.now, [&] {
      auto load = std::make_shared<GroupLoad>();
      load->made = question_.now;
      load->members.reserve(group.members.size());
      for (const auto place : group.members) {
        const auto& node = table_.nodes[place];
        const bool is_open =
            trouble(node, question_.now).empty() && !node.draining_since && node.utilisation() < rules_.overload;
        load->members.push_back({is_open ? node.viewers.get() : nullptr, node.last.sessions, weight(node),
                                 ramp_factor(node, rules_, question_.now)});
        if (!is_open) continue;
        load->weights += load->members.back().weight;
        load->viewers += static_cast<double>(node.sessions());
      }
      return load;
    });
  }

  /// As try_members(), by sums that are a moment old.
  void try_many(const NodeGroup& group, RoutingReason rank) {
    const auto load = load_of(group);
    const double each = (load->viewers + 1) / std::max(load->weights, 1e-9);
    const NodeState* fullest_allowed = nullptr;
    double least = 0;
    const auto order = group.orders->of(question_.channel);
    for (const auto place : *order) {
      const auto& member = load->members[place];
      if (!member.viewers) continue;
      const double fair = each * member.weight,
                   has = static_cast<double>(
                       std::max(member.viewers->count.load(std::memory_order_relaxed), member.reported));
      const bool has_room =
          has < static_cast<double>(rules_.balance_from) * member.ramp || has + 1 <= rules_.load_factor * fair;
      if (!has_room && fullest_allowed && has / fair >= least) continue;
      const auto& node = table_.nodes[group.members[place]];
      if (!refusal(node).empty()) continue;
      if (has_room) return take(node, rank);
      std::tie(fullest_allowed, least) = std::pair(&node, has / fair);
    }
    if (fullest_allowed) take(*fullest_allowed, rank);
  }

  /// Smaller is less bad. A node that talks, though unwell, before one that is silent; among the silent the one heard
  /// last.
  auto badness(const NodeState& node) const {
    const int kind = node.condition == NodeCondition::down        ? 4
                     : node.condition == NodeCondition::unhealthy ? 3
                     : node.draining_since                        ? 2
                     : trouble(node, question_.now).empty()       ? 0
                                                                  : 1;
    const auto silence =
        node.condition == NodeCondition::down ? question_.now - node.last_heard : base::SteadyTime::duration{};
    return std::tuple(!may_use(node.group_id()), is_gone(node), kind, silence, kind < 4 ? node.utilisation() : 0.0);
  }

  RoutingChoice least_bad() {
    const NodeState* best = nullptr;
    for (const auto& node : table_.nodes) {
      if (node.address->url.empty()) continue;
      if (!best || badness(node) < badness(*best)) best = &node;
    }
    if (!best) return {};
    note(RoutingReason::least_bad, best->group_id(), best->address->id, "serves: no node looks well");
    return {best, RoutingReason::least_bad};
  }

  const NodeTable& table_;
  const RoutingView& view_;
  const RoutingRules& rules_;
  const RoutingQuestion& question_;
  SelectionTrace* seen_;
  Zones::Match match_;
  const NodeState* current_ = nullptr;
  bool keeps_current_ = false;
  bool minds_limits_ = true;
  bool met_full_ = false;
  Alternatives* alternatives_ = nullptr;             // all are wanted, in their order
  std::vector<GroupStanding>* standings_ = nullptr;  // groups are wanted, not nodes
  std::size_t most_standings_ = 0;
  std::optional<RoutingChoice> choice_;
};

}  // namespace

std::string_view to_string(RoutingReason reason) {
  switch (reason) {
    case RoutingReason::pathway: return "pathway";
    case RoutingReason::receipt: return "receipt";
    case RoutingReason::client_cache: return "client_cache";
    case RoutingReason::deep_zone: return "deep_zone";
    case RoutingReason::zone: return "zone";
    case RoutingReason::fallback_group: return "fallback_group";
    case RoutingReason::nearest_group: return "nearest_group";
    case RoutingReason::default_group: return "default_group";
    case RoutingReason::origin: return "origin";
    case RoutingReason::least_bad: return "least_bad";
    case RoutingReason::no_node: return "no_node";
  }
  return "unknown";
}

std::string_view because(RoutingReason reason) {
  switch (reason) {
    case RoutingReason::pathway: return "the player follows the pathway of this node's group";
    case RoutingReason::receipt: return "the client proved by a receipt that it reaches this node";
    case RoutingReason::client_cache: return "the client says that it reaches this node, and may use it";
    case RoutingReason::deep_zone:
      return "the client's network has a deep coverage zone, and this node is of its group";
    case RoutingReason::zone: return "the client's network has a coverage zone, and this node is of its group";
    case RoutingReason::fallback_group:
      return "no node of the zone's own group can serve now, and this one is of a fallback group";
    case RoutingReason::nearest_group: return "it is of the group nearest to the client's place that can serve";
    case RoutingReason::default_group: return "no rule is nearer to this client, and this node is of a default group";
    case RoutingReason::origin: return "no node can serve now, and the channel allows its origin";
    case RoutingReason::least_bad: return "no node looks well, and this one looks least bad";
    case RoutingReason::no_node: return "no node has an address";
  }
  return "";
}

RoutingChoice choose_node(const NodeTable& table, const RoutingView& view, const RoutingQuestion& question,
                          SelectionTrace* seen) {
  return Decision(table, view, question, seen).make();
}

std::vector<GroupStanding> rank_groups(const NodeTable& table, const RoutingView& view, const RoutingQuestion& question,
                                       std::size_t most) {
  return Decision(table, view, question, nullptr).standings(most);
}

Alternatives alternatives(const NodeTable& table, const RoutingView& view, const RoutingQuestion& question) {
  return Decision(table, view, question, nullptr).list();
}

access::AccountPlace place_of(const NodeState& node) { return {node.limit_group(), node.address->id}; }

double ramp_factor(const NodeState& node, const RoutingRules& rules, base::SteadyTime now) {
  if (!node.returned || rules.ramp.count() <= 0) return 1;
  const double passed = std::chrono::duration<double>(now - *node.returned) / std::chrono::duration<double>(rules.ramp);
  return std::clamp(rules.ramp_start + (1 - rules.ramp_start) * passed, rules.ramp_start, 1.0);
}

}  // namespace tribune::balancer
