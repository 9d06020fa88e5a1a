#include "balancer/node_registry.h"

#include <algorithm>

namespace tribune::balancer {
namespace {

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

bool is_replayed(const contracts::Heartbeat& last, const contracts::Heartbeat& next) {
  // A node that counts its heartbeats is believed by the count: its clock may step. Another run has its own count.
  if (last.run == next.run && next.sequence > 0) return next.sequence <= last.sequence;
  return next.sent_unix_ms <= last.sent_unix_ms;
}

std::int64_t ms_between(base::SteadyTime from, base::SteadyTime to) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(to - from).count();
}

}  // namespace

std::string_view word(NodeCondition condition) {
  switch (condition) {
    case NodeCondition::unheard: return "unheard";
    case NodeCondition::up: return "up";
    case NodeCondition::unhealthy: return "unhealthy";
    case NodeCondition::down: return "down";
  }
  return "unknown";
}

NodeRegistry::NodeRegistry(const base::Clock& clock, base::Log& log, base::Metrics& metrics)
    : clock_(clock), log_(log), metrics_(metrics), table_(std::make_shared<NodeTable>()), last_check_(clock.steady_now()) {}

NodeRegistry::Known NodeRegistry::make(const NodeSettings& settings, base::SteadyTime now) {
  NodeState state;
  state.address = std::make_shared<NodeAddress>(NodeAddress{settings.id, without_slash(settings.url)});
  state.last_heard = now;
  state.since = clock_.wall_now();
  return {settings.url, std::move(state),
          metrics_.gauge("tribune_balancer_node_up", "Whether the cache node is up: 1, or 0.", {{"node", settings.id}})};
}

void NodeRegistry::configure(const std::vector<NodeSettings>& settings, std::chrono::milliseconds timeout) {
  const std::lock_guard lock(mutex_);
  timeout_ = timeout;
  const auto now = clock_.steady_now();
  std::vector<Known> next;
  for (const auto& node : settings) {
    const auto old = std::find_if(known_.begin(), known_.end(), [&](const Known& k) { return k.state.address->id == node.id; });
    next.push_back(old == known_.end() ? make(node, now) : *old);
    auto& known = next.back();
    known.configured_url = node.url;
    const auto url = without_slash(node.url.empty() ? known.state.last.public_url : node.url);
    if (url != known.state.address->url) known.state.address = std::make_shared<NodeAddress>(NodeAddress{node.id, url});
  }
  for (auto& old : known_) {
    const bool stays = std::any_of(settings.begin(), settings.end(), [&](const NodeSettings& s) { return s.id == old.state.address->id; });
    if (!stays) old.up.set(0);
  }
  known_ = std::move(next);
  publish();
}

NodeRegistry::Heard NodeRegistry::heard(const contracts::Heartbeat& heartbeat) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(known_.begin(), known_.end(), [&](const Known& k) { return k.state.address->id == heartbeat.node; });
  if (found == known_.end()) return Heard::unknown_node;
  auto& state = found->state;
  if (!state.last.run.empty() && is_replayed(state.last, heartbeat)) return Heard::replayed;

  state.last = heartbeat;
  state.last_heard = clock_.steady_now();
  changed_ = true;
  const auto url = without_slash(found->configured_url.empty() ? heartbeat.public_url : found->configured_url);
  const bool moved = url != state.address->url;
  if (moved) state.address = std::make_shared<NodeAddress>(NodeAddress{heartbeat.node, url});
  const auto condition = heartbeat.healthy ? NodeCondition::up : NodeCondition::unhealthy;
  const bool turned = condition != state.condition;
  if (turned) set_condition(*found, condition, heartbeat.reason);
  if (turned || moved) publish();
  return Heard::accepted;
}

void NodeRegistry::check() {
  const std::lock_guard lock(mutex_);
  const auto now = clock_.steady_now();
  const auto slept = now - last_check_;
  last_check_ = now;
  // Heartbeats wait in the sockets while this process stands still: nobody was silent then.
  const bool late = slept > timeout_ / 2;
  for (auto& known : known_) {
    if (late) known.state.last_heard = std::min(now, known.state.last_heard + slept);
    if (known.state.condition == NodeCondition::down || now - known.state.last_heard < timeout_) continue;
    set_condition(known, NodeCondition::down, "silent");
    changed_ = true;
  }
  if (changed_) publish();
}

std::chrono::milliseconds NodeRegistry::check_period() const {
  const std::lock_guard lock(mutex_);
  return std::clamp(timeout_ / 18, std::chrono::milliseconds{10}, std::chrono::milliseconds{100});
}

void NodeRegistry::set_condition(Known& known, NodeCondition condition, std::string_view reason) {
  auto& state = known.state;
  const auto before = state.condition;
  state.condition = condition;
  state.since = clock_.wall_now();
  known.up.set(condition == NodeCondition::up ? 1 : 0);
  const auto& id = state.address->id;
  if (condition == NodeCondition::up) {
    log_.info("balancer", "node_up", {{"node", id}, {"url", state.address->url}, {"before", word(before)}, {"version", state.last.version}});
  } else {
    log_.warning("balancer", condition == NodeCondition::down ? "node_lost" : "node_unhealthy",
                 {{"node", id}, {"before", word(before)}, {"reason", reason}, {"silent_ms", ms_between(state.last_heard, clock_.steady_now())}});
  }
}

void NodeRegistry::publish() {
  auto table = std::make_shared<NodeTable>();
  table->nodes.reserve(known_.size());
  for (const auto& known : known_) table->nodes.push_back(known.state);
  table_.publish(std::move(table));
  changed_ = false;
}

void NodeRegistry::describe(base::json::Writer& w) const {
  const auto now = clock_.steady_now();
  w.key("nodes").begin_array();
  const auto now_known = table();   // keeps the table that the loop reads
  for (const auto& node : now_known->nodes) {
    w.begin_object()
        .member("id", node.address->id)
        .member("url", node.address->url)
        .member("state", word(node.condition))
        .member("since_unix", base::unix_seconds(node.since))
        .member("silent_ms", ms_between(node.last_heard, now))
        .member("reason", node.condition == NodeCondition::down ? "silent" : node.last.reason)
        .member("version", node.last.version)
        .member("sent_mbps", node.last.sent_mbps)
        .member("capacity_mbps", node.last.capacity_mbps)
        .member("connections", node.last.connections)
        .member("sessions", node.last.sessions)
        .member("objects", node.last.objects)
        .member("stored_bytes", node.last.stored_bytes)
        .member("max_bytes", node.last.max_bytes)
        .member("disk_free_bytes", node.last.disk_free_bytes)
        .end_object();
  }
  w.end_array();
}

}  // namespace tribune::balancer
