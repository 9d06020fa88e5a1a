#include "access/scope.h"

#include <numeric>

namespace tribune::access {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxScopes = 10'000;  // for each kind
constexpr std::size_t kMeanHeartbeats = 5;  // segments are sent in bursts
constexpr auto kNodeTimeout = 5s;

std::int64_t kbps_of(double mbps) { return static_cast<std::int64_t>(mbps * 1'000); }

}  // namespace

bool Scope::has_capacity(std::int64_t kbps) const {
  if (drill.is_closed) return false;
  if (limit.max_sessions && sessions + reserved + drill.extra_sessions + 1 > *limit.max_sessions) return false;
  return !limit.max_traffic_mbps || load_kbps() + kbps_of(drill.extra_mbps) + kbps <= kbps_of(*limit.max_traffic_mbps);
}

Scope* ScopeSet::first_full(std::int64_t kbps) const {
  for (auto* scope : {global, channel, group, node})
    if (scope && !scope->has_capacity(kbps)) return scope;
  return nullptr;
}

Scope* Scopes::at(ScopeKind kind, std::string_view id) {
  if (kind == ScopeKind::global) return &global_;
  if (id.empty()) return nullptr;
  auto& scopes = scopes_[static_cast<std::size_t>(kind)];
  if (const auto found = scopes.find(id); found != scopes.end()) return found->second.get();
  if (scopes.size() >= kMaxScopes) return nullptr;
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

void Scopes::set(const AccessLimits& limits) {
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

void Scopes::clear_contested() {
  global_.is_contested = false;
  for (auto& kind : scopes_)
    for (auto& [id, scope] : kind) scope->is_contested = false;
}

void Scopes::measured(const Traffic& traffic, base::SteadyTime now) {
  auto found = nodes_.find(traffic.node);
  if (found == nodes_.end()) {
    if (nodes_.size() >= kMaxScopes) return;
    found = nodes_.emplace(std::string(traffic.node), Node{}).first;
  }
  auto& node = found->second;
  node.group = traffic.group;
  node.last_heartbeat = now;
  node.all.add(kbps_of(traffic.sent_mbps));
  node.reports_channels = traffic.reports_channels;
  std::map<std::string_view, std::int64_t> reported;
  for (const auto& [channel, mbps] : traffic.channel_mbps) {
    reported[channel] = kbps_of(mbps);
    if (node.channels.size() < kMaxScopes) node.channels.try_emplace(channel);
  }
  for (auto channel = node.channels.begin(); channel != node.channels.end();) {
    const auto reported_now = reported.find(channel->first);
    channel->second.add(
        reported_now == reported.end() ? 0 : reported_now->second);  // a channel that is not named is not sent
    channel = channel->second.value() == 0 ? node.channels.erase(channel) : std::next(channel);
  }
  sum_up();
}

void Scopes::Mean::add(std::int64_t kbps) {
  kbps_.push_back(kbps);
  if (kbps_.size() > kMeanHeartbeats) kbps_.pop_front();
}

std::int64_t Scopes::Mean::value() const {
  return kbps_.empty()
             ? 0
             : std::accumulate(kbps_.begin(), kbps_.end(), std::int64_t{0}) / static_cast<std::int64_t>(kbps_.size());
}

void Scopes::expire_nodes(base::SteadyTime now) {
  if (std::erase_if(nodes_, [&](const auto& node) { return now - node.second.last_heartbeat > kNodeTimeout; }))
    sum_up();
}

void Scopes::sum_up() {
  global_.measured_kbps = 0;
  global_.is_measured = !nodes_.empty();
  for (auto& kind : scopes_)
    for (auto& [id, scope] : kind) scope->measured_kbps = 0, scope->is_measured = false;
  const auto add = [](Scope* scope, std::int64_t kbps) {
    if (!scope) return;
    scope->measured_kbps += kbps;
    scope->is_measured = true;
  };
  bool all_report_channels = !nodes_.empty();
  for (const auto& [id, node] : nodes_) {
    add(&global_, node.all.value());
    add(at(ScopeKind::group, node.group), node.all.value());
    add(at(ScopeKind::node, id), node.all.value());
    all_report_channels = all_report_channels && node.reports_channels;
    for (const auto& [channel, mean] : node.channels) add(at(ScopeKind::channel, channel), mean.value());
  }
  // A channel that no node reports is not sent.
  for (auto& [id, scope] : scopes_[static_cast<std::size_t>(ScopeKind::channel)])
    scope->is_measured = all_report_channels;
}

}  // namespace tribune::access
