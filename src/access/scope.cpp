#include "access/scope.h"

#include <numeric>

namespace tribune::access {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMostScopes = 10'000;       // of a kind
constexpr std::size_t kHeartbeatsOfAMean = 5;     // a segment goes out in bursts
constexpr auto kSilent = 5s;

std::int64_t kbps_of(double mbps) { return static_cast<std::int64_t>(mbps * 1'000); }

}  // namespace

bool Scope::has_room(std::int64_t kbps) const {
  if (drill.is_closed) return false;
  if (limit.max_sessions && sessions + kept + drill.extra_sessions + 1 > *limit.max_sessions) return false;
  return !limit.max_traffic_mbps || load_kbps() + kbps_of(drill.extra_mbps) + kbps <= kbps_of(*limit.max_traffic_mbps);
}

Scope* ScopeSet::full(std::int64_t kbps) const {
  for (auto* scope : {global, channel, group, node})
    if (scope && !scope->has_room(kbps)) return scope;
  return nullptr;
}

Scope* Scopes::at(ScopeKind kind, std::string_view id) {
  if (kind == ScopeKind::global) return &global_;
  if (id.empty()) return nullptr;
  auto& scopes = scopes_[static_cast<std::size_t>(kind)];
  if (const auto found = scopes.find(id); found != scopes.end()) return found->second.get();
  if (scopes.size() >= kMostScopes) return nullptr;
  auto scope = std::make_unique<Scope>();
  scope->kind = kind;
  scope->id = id;
  return scopes.emplace(std::string(id), std::move(scope)).first->second.get();
}

const Scope* Scopes::find(ScopeKind kind, std::string_view id) const {
  if (kind == ScopeKind::global) return &global_;
  const auto& scopes = scopes_[static_cast<std::size_t>(kind)];
  const auto found = scopes.find(id);
  return found == scopes.end() ? nullptr : found->second.get();
}

void Scopes::set(const Limits& limits) {
  global_.limit = limits.global;
  has_limits_ = global_.has_limit();
  for (const auto kind : {ScopeKind::channel, ScopeKind::group, ScopeKind::node}) {
    const auto& named = *limits.named(kind);
    for (auto& [id, scope] : scopes_[static_cast<std::size_t>(kind)])
      if (!named.contains(id)) scope->limit = {};
    for (const auto& [id, limit] : named)
      if (auto* scope = at(kind, id)) {
        scope->limit = limit;
        has_limits_ = has_limits_ || scope->has_limit();
      }
  }
}

void Scopes::measured(const Traffic& traffic, base::SteadyTime now) {
  auto found = nodes_.find(traffic.node);
  if (found == nodes_.end()) {
    if (nodes_.size() >= kMostScopes) return;
    found = nodes_.emplace(std::string(traffic.node), Node{}).first;
  }
  auto& node = found->second;
  node.group = traffic.group;
  node.heard = now;
  node.kbps.push_back(kbps_of(traffic.sent_mbps));
  if (node.kbps.size() > kHeartbeatsOfAMean) node.kbps.pop_front();
  for (auto& [channel, kbps] : node.channels) kbps -= kbps / static_cast<std::int64_t>(kHeartbeatsOfAMean);
  for (const auto& [channel, mbps] : traffic.channel_mbps) node.channels[channel] += kbps_of(mbps) / static_cast<std::int64_t>(kHeartbeatsOfAMean);
  add_up();
}

void Scopes::settle(base::SteadyTime now) {
  if (std::erase_if(nodes_, [&](const auto& node) { return now - node.second.heard > kSilent; })) add_up();
}

void Scopes::add_up() {
  global_.measured_kbps = 0;
  global_.is_measured = !nodes_.empty();
  for (auto& kind : scopes_)
    for (auto& [id, scope] : kind) scope->measured_kbps = 0, scope->is_measured = false;
  const auto add = [](Scope* scope, std::int64_t kbps) {
    if (!scope) return;
    scope->measured_kbps += kbps;
    scope->is_measured = true;
  };
  for (const auto& [id, node] : nodes_) {
    const auto mean = std::accumulate(node.kbps.begin(), node.kbps.end(), std::int64_t{0}) / static_cast<std::int64_t>(node.kbps.size());
    add(&global_, mean);
    add(at(ScopeKind::group, node.group), mean);
    add(at(ScopeKind::node, id), mean);
    for (const auto& [channel, kbps] : node.channels) add(at(ScopeKind::channel, channel), kbps);
  }
}

}  // namespace tribune::access
