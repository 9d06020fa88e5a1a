#include "access/capacity.h"

#include <algorithm>
#include <utility>

namespace tribune::access {

Capacity::Capacity(const base::Clock& clock, const Sessions& sessions) : clock_(clock), sessions_(sessions) {}

void Capacity::set_limits(AccessLimits next) {
  limits_ = std::move(next);
  scopes_.set(limits_);
  has_changed_ = true;
}

NodeScopesList Capacity::nodes_of(const Visitor& visitor) {
  const auto scopes_of = [this](std::string_view group, std::string_view node) {
    return NodeScopes{scopes_.at(ScopeKind::group, group), scopes_.at(ScopeKind::node, node)};
  };
  NodeScopesList nodes{scopes_of(visitor.group, visitor.node)};
  for (const auto& other : visitor.others) {
    const auto node = scopes_of(other.group, other.node);
    if (nodes.size() < kMaxNodeChoices && std::find(nodes.begin(), nodes.end(), node) == nodes.end())
      nodes.push_back(node);
  }
  return nodes;
}

bool Capacity::admits_newcomer(const ScopeSet& set, std::int64_t kbps) const {
  const bool is_grace = is_in_grace();
  bool admits = true;
  set.each([&](const Scope& scope) {
    admits = admits && !scope.is_contested && scope.has_capacity(kbps) && !(is_grace && scope.has_limit());
  });
  return admits;
}

std::optional<ScopeSet> Capacity::find_for_newcomer(Scope* channel, std::int64_t kbps, const NodeScopesList& nodes) {
  if (sessions_.is_full() || has_backlog_) return std::nullopt;
  for (const auto& node : nodes)
    if (const auto set = scopes_at(channel, node); admits_newcomer(set, kbps)) return set;
  return std::nullopt;
}

std::optional<ScopeSet> Capacity::find_for_ticket(Scope* channel, std::int64_t kbps, std::uint32_t node_list) {
  const auto is_contested = [](const Scope* scope) { return scope && scope->is_contested; };
  for (const auto& node : node_lists_.at(node_list)) {
    const auto set = scopes_at(channel, node);
    if (!is_contested(node.group) && !is_contested(node.node) && !set.first_full(kbps)) return set;
  }
  return std::nullopt;
}

std::optional<ScopeSet> Capacity::find_for_restored(Scope* channel, std::int64_t kbps, const NodeScopesList& nodes) {
  if (sessions_.is_full()) return std::nullopt;
  for (const auto& node : nodes)
    if (const auto set = scopes_at(channel, node); !set.first_full(kbps)) return set;
  return std::nullopt;
}

bool Capacity::may_claim(const ScopeSet& set) const {
  bool may = !sessions_.is_full();
  set.each([&](const Scope& scope) {
    if (scope.drill.is_closed) may = false;
    if (scope.limit.max_sessions && scope.sessions + scope.drill.extra_sessions + 1 > *scope.limit.max_sessions)
      may = false;
  });
  return may;
}

void Capacity::reserve(const ScopeSet& set, std::int64_t kbps) {
  set.each([&](Scope& scope) {
    ++scope.reserved;
    scope.reserved_kbps += kbps;
  });
}

void Capacity::cancel_reservation(const ScopeSet& set, std::int64_t kbps) {
  set.each([&](Scope& scope) {
    --scope.reserved;
    scope.reserved_kbps -= kbps;
  });
}

void Capacity::contest(Scope* channel, std::int64_t kbps, std::uint32_t node_list) {
  for (const auto& node : node_lists_.at(node_list))
    if (auto* full = scopes_at(channel, node).first_full(kbps)) full->is_contested = has_contested_ = true;
}

bool Capacity::contest_if_full(Scope& scope, std::int64_t kbps) {
  if (scope.has_capacity(kbps)) return false;
  return scope.is_contested = has_contested_ = true;
}

void Capacity::clear_contested() {
  if (has_contested_) scopes_.clear_contested();
  has_contested_ = false;
}

void Capacity::publish_node_limits(std::optional<std::int64_t> least_kbps) {
  auto now = std::make_shared<NodeLimits>();
  scopes_.each([&](const Scope& scope) {
    if (!scope.has_limit() || (scope.kind != ScopeKind::group && scope.kind != ScopeKind::node)) return;
    const bool is_group = scope.kind == ScopeKind::group;
    (is_group ? now->limited_groups : now->limited_nodes).insert(scope.id);
    if (least_kbps && (scope.is_contested || !scope.has_capacity(*least_kbps)))
      (is_group ? now->full_groups : now->full_nodes).insert(scope.id);
  });
  const bool has_any = !now->empty();
  if (!has_any && !has_node_limits_) return;
  if (has_any) node_limits_.publish(std::move(now));
  has_node_limits_ = has_any;
}

std::shared_ptr<const NodeLimits> Capacity::node_limits() const {
  return has_node_limits_.load(std::memory_order_relaxed) ? node_limits_.get() : nullptr;
}

}  // namespace tribune::access
