#include "balancer/nodes/node_registry.h"

#include <algorithm>
#include <utility>

namespace tribune::balancer {
namespace {

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

bool is_replayed(const contracts::Heartbeat& last, const contracts::Heartbeat& next) {
  // The count of heartbeats decides when the node reports one, because its clock may step. Each run has its own count.
  if (last.run == next.run && next.sequence > 0) return next.sequence <= last.sequence;
  return next.sent_unix_ms <= last.sent_unix_ms;
}

std::int64_t ms_between(base::SteadyTime from, base::SteadyTime to) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(to - from).count();
}

/// The capacity of a node for which neither the configuration nor its heartbeat states one.
constexpr double kUsualCapacityMbps = 1'000;

double capacity_of(double configured, const contracts::Heartbeat& last) {
  return configured > 0 ? configured : last.capacity_mbps > 0 ? last.capacity_mbps : kUsualCapacityMbps;
}

std::string why(const NodeState& node, base::SteadyTime now) {
  if (node.condition == NodeCondition::down) return "silent";
  if (!node.why_unhealthy.empty()) return node.why_unhealthy;
  if (!node.unfit.empty()) return node.unfit;
  if (!node.last.reason.empty()) return node.last.reason;
  if (!node.degraded.empty()) return node.degraded;
  if (!node.doubted.empty()) return node.doubted;
  if (node.held_until && now < *node.held_until) return "held: its heartbeats stopped and resumed too often";
  return node.draining_since ? "drained" : "";
}

/// The condition of a node that sends heartbeats.
NodeCondition condition_by_reports(const NodeState& node) {
  const bool is_well = node.last.healthy && node.why_unhealthy.empty() && node.unfit.empty();
  return is_well ? NodeCondition::up : NodeCondition::unhealthy;
}

void describe_delivery(base::json::Writer& w, const contracts::Heartbeat& last) {
  const auto& e = last.experience;
  w.member("recent_requests", e.requests)
      .member("error_share", contracts::share(e.failures, e.requests))
      .member("origin_error_share", contracts::share(e.origin_failures, e.origin_asks))
      .member("peer_error_share", contracts::share(e.peer_failures, e.peer_asks))
      .member("memory", last.memory)
      .member("descriptors", last.descriptors)
      .member("max_descriptors", last.max_descriptors);
}

}  // namespace

NodeRegistry::NodeRegistry(const base::Clock& clock, base::Log& log, base::Metrics& metrics)
    : clock_(clock),
      log_(log),
      metrics_(metrics),
      origin_to_blame_(metrics.gauge("tribune_balancer_origin_fails_most_nodes",
                                     "1 while most cache nodes fail because of the origin. No node is marked unhealthy "
                                     "for that reason meanwhile.")),
      doubted_(metrics.gauge("tribune_balancer_node_failures_doubted",
                             "Cache nodes that stay in service although their heartbeats or probes fail, because most "
                             "nodes fail at once.")),
      without_usable_(metrics.gauge("tribune_balancer_without_usable_node",
                                    "1 while no cache node is usable. Viewers stay at their nodes meanwhile.")),
      table_(std::make_shared<NodeTable>()),
      last_check_(clock.steady_now()),
      begun_(clock.steady_now()) {}

NodeRegistry::Known NodeRegistry::make(const NodeSettings& settings, base::SteadyTime now) {
  NodeState state;
  state.address = std::make_shared<NodeAddress>(NodeAddress{settings.id, without_slash(settings.url)});
  state.last_heartbeat = now;
  state.since = clock_.wall_now();
  return {settings.url,
          0,
          std::move(state),
          metrics_.gauge("tribune_balancer_node_up", "Whether the cache node is up: 1, or 0.", {{"node", settings.id}}),
          metrics_.gauge("tribune_balancer_node_viewers", "Viewers that this balancer routed to the cache node.",
                         {{"node", settings.id}}),
          metrics_.gauge("tribune_balancer_node_error_share",
                         "Share of the viewers' requests to the node that failed in its last 10 s, 0 to 1.",
                         {{"node", settings.id}}),
          Reachability(now)};
}

NodeRegistry::Known* NodeRegistry::find(std::string_view id) {
  const auto found =
      std::find_if(known_.begin(), known_.end(), [&](const Known& k) { return k.state.address->id == id; });
  return found == known_.end() ? nullptr : &*found;
}

void NodeRegistry::configure(const std::vector<NodeSettings>& settings, std::chrono::milliseconds timeout) {
  const std::lock_guard lock(mutex_);
  timeout_ = timeout;
  const auto now = clock_.steady_now();
  std::vector<Known> next;
  for (const auto& node : settings) {
    const auto old =
        std::find_if(known_.begin(), known_.end(), [&](const Known& k) { return k.state.address->id == node.id; });
    next.push_back(old == known_.end() ? make(node, now) : *old);
    auto& known = next.back();
    known.configured_url = node.url;
    known.state.group = node.group;
    known.configured_capacity = static_cast<double>(node.capacity_mbps);
    known.state.capacity_mbps = capacity_of(known.configured_capacity, known.state.last);
    const auto url = without_slash(node.url.empty() ? known.state.last.public_url : node.url);
    if (url != known.state.address->url) known.state.address = std::make_shared<NodeAddress>(NodeAddress{node.id, url});
  }
  for (auto& old : known_) {
    const bool stays = std::any_of(settings.begin(), settings.end(),
                                   [&](const NodeSettings& s) { return s.id == old.state.address->id; });
    if (!stays) old.up.set(0);
  }
  known_ = std::move(next);
  publish();
}

NodeRegistry::HeartbeatResult NodeRegistry::record_heartbeat(const contracts::Heartbeat& heartbeat) {
  const std::lock_guard lock(mutex_);
  auto* found = find(heartbeat.node);
  if (!found) return HeartbeatResult::unknown_node;
  auto& state = found->state;
  if (!state.last.run.empty() && is_replayed(state.last, heartbeat)) return HeartbeatResult::replayed;

  if (state.last.run != heartbeat.run) found->reach.reset_probes();  // those were sent to a former run
  state.last = heartbeat;
  state.last_heartbeat = clock_.steady_now();
  found->reach.heartbeat_received(state.last_heartbeat);
  record_experience(found->delivery, heartbeat, state.last_heartbeat);
  comparison_.record(heartbeat, state.last_heartbeat);
  found->error_share.set(contracts::share(heartbeat.experience.failures, heartbeat.experience.requests));
  state.viewers_at_heartbeat = state.viewers->count.load();
  changed_ = true;
  const auto url = without_slash(found->configured_url.empty() ? heartbeat.public_url : found->configured_url);
  state.capacity_mbps = capacity_of(found->configured_capacity, heartbeat);
  const bool moved = url != state.address->url;
  if (moved) {
    state.address = std::make_shared<NodeAddress>(NodeAddress{heartbeat.node, url});
    found->reach.reset_address();
  }
  const auto before = state.condition;
  judge_reachability(*found, state.last_heartbeat);
  judge(*found);
  if (state.condition != before || moved) publish();
  return HeartbeatResult::accepted;
}

/// Applies what is known of the way to the node, unless it is doubted.
void NodeRegistry::judge_reachability(Known& known, base::SteadyTime now) {
  auto& state = known.state;
  const bool is_certain = known.reach.is_lost_for_certain(now, timeout_);
  if (is_certain != std::exchange(state.is_lost_for_certain, is_certain)) changed_ = true;
  state.why_unhealthy = believes_failure(known, now) ? known.reach.unreachable() : "";
}

/// The condition of a node that sends heartbeats, by its own report, by probes and by its delivery.
void NodeRegistry::judge(Known& known) {
  auto& state = known.state;
  const auto condition = condition_by_reports(state);
  if (condition == state.condition) return;
  if (condition == NodeCondition::up && state.condition != NodeCondition::unhealthy)
    record_return(known, clock_.steady_now());
  set_condition(known, condition,
                !state.last.healthy           ? state.last.reason
                : state.why_unhealthy.empty() ? state.unfit
                                              : state.why_unhealthy);
}

/// Judges the nodes that send heartbeats by the requests of their viewers.
void NodeRegistry::judge_delivery(base::SteadyTime now) {
  std::vector<Judged> nodes;
  std::vector<ComparedNode> compared;
  std::vector<std::size_t> places;  // of the compared nodes
  nodes.reserve(known_.size());
  for (auto& known : known_) {
    const auto& state = known.state;
    const bool talks = state.condition == NodeCondition::up || state.condition == NodeCondition::unhealthy;
    if (talks) {
      places.push_back(nodes.size());
      compared.push_back({state.address->id, state.group_id(), &state.last, known.delivery.is_unfit_for_players});
    }
    nodes.push_back({&state.last,
                     &known.delivery,
                     {},
                     talks && state.last.healthy && state.why_unhealthy.empty() && !state.draining_since});
  }
  auto findings = comparison_.compare(compared, now);
  for (std::size_t i = 0; i < places.size(); ++i) nodes[places[i]].compared = std::move(findings[i]);
  const auto found = balancer::judge(nodes, now);
  origin_to_blame_.set(found.is_origin_to_blame ? 1 : 0);
  if (found.is_origin_to_blame != std::exchange(is_origin_to_blame_, found.is_origin_to_blame))
    log_.write(found.is_origin_to_blame ? base::LogLevel::warning : base::LogLevel::info, "balancer",
               found.is_origin_to_blame ? "origin_fails_most_nodes" : "origin_serves_most_nodes", {});
  if (!found.has_changed) return;
  changed_ = true;
  for (auto& known : known_) {
    auto& state = known.state;
    state.degraded = known.delivery.degraded;
    if (state.unfit == known.delivery.unfit) continue;
    if (known.delivery.unfit.empty()) state.returned = now;  // it ramps up
    state.unfit = known.delivery.unfit;
    if (state.condition == NodeCondition::up || state.condition == NodeCondition::unhealthy) judge(known);
  }
}

void NodeRegistry::record_return(Known& known, base::SteadyTime now) {
  auto& state = known.state;
  // In the first five timeouts of this balancer all nodes are new, so a new node does not ramp up.
  const bool is_late = state.condition == NodeCondition::down || now - begun_ > 5 * timeout_;
  if (is_late) state.returned = now;
  std::erase_if(known.losses, [&](base::SteadyTime at) { return now - at > kFlapWindow; });
  if (known.losses.size() < 2) return;
  const auto doublings = std::min<std::size_t>(known.losses.size() - 2, 8);
  state.held_until = now + std::min<base::SteadyTime::duration>(kFirstHold * (1 << doublings), kLongestHold);
  log_.warning(
      "balancer", "node_held",
      {{"node", state.address->id}, {"losses", known.losses.size()}, {"for_ms", ms_between(now, *state.held_until)}});
}

void NodeRegistry::probed(std::string_view id, PingResult result) {
  const std::lock_guard lock(mutex_);
  auto* known = find(id);
  if (!known) return;
  const auto now = clock_.steady_now();
  known->reach.probed(result, now);
  if (result != PingResult::answered || shared_.is_doubted()) look_for_shared_failure(now);
  auto& state = known->state;
  const auto before = state.condition;
  judge_reachability(*known, now);
  if (state.condition != NodeCondition::up && state.condition != NodeCondition::unhealthy) return;
  judge(*known);
  if (state.condition != before) publish();
}

void NodeRegistry::connection_lost(std::string_view id) {
  const std::lock_guard lock(mutex_);
  if (auto* known = find(id)) known->reach.connection_lost(clock_.steady_now());
}

std::vector<std::string> NodeRegistry::take_due_probes() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> due;
  for (auto& known : known_)
    if (known.reach.take_due_probe()) due.push_back(known.state.address->id);
  return due;
}

void NodeRegistry::reported_gone(std::string_view id, std::string_view client_prefix) {
  const std::lock_guard lock(mutex_);
  if (auto* known = find(id)) known->reach.reported_gone(client_prefix, clock_.steady_now());
}

bool NodeRegistry::drain(std::string_view id, bool on) {
  const std::lock_guard lock(mutex_);
  auto* known = find(id);
  if (!known) return false;
  auto& state = known->state;
  if (on == state.draining_since.has_value()) return true;
  if (on)
    state.draining_since = clock_.steady_now();
  else {
    state.draining_since.reset();
    state.returned = clock_.steady_now();
  }
  log_.info("balancer", on ? "node_drained" : "node_undrained",
            {{"node", id}, {"viewers", state.viewers->count.load()}});
  publish();
  return true;
}

void NodeRegistry::check() {
  const std::lock_guard lock(mutex_);
  const auto now = clock_.steady_now();
  const auto slept = now - last_check_;
  last_check_ = now;
  // Heartbeats wait in the sockets while this process is suspended: no node was silent in that time.
  const bool late = slept > timeout_ / 2;
  for (auto& known : known_) {
    known.viewers.set(static_cast<double>(known.state.viewers->count.load()));
    known.reach.expire_reports(now);
    if (!late) continue;
    known.state.last_heartbeat = std::min(now, known.state.last_heartbeat + slept);
    known.reach.shorten_silence(slept, now);
  }
  look_for_shared_failure(now);
  for (auto& known : known_) {  // a doubted failure may have become certain
    if (known.state.doubted.empty()) continue;
    judge_reachability(known, now);
    judge(known);
  }
  mark_silent_nodes(now);
  judge_delivery(now);
  if (changed_) publish();
}

void NodeRegistry::mark_silent_nodes(base::SteadyTime now) {
  for (auto& known : known_) {
    auto& state = known.state;
    if (state.condition == NodeCondition::down || known.reach.silence(now) < timeout_) continue;
    if (!believes_failure(known, now)) continue;
    if (state.condition != NodeCondition::unheard) known.losses.push_back(now);
    if (known.losses.size() > 16) known.losses.erase(known.losses.begin());
    state.is_lost_for_certain = known.reach.is_lost_for_certain(now, timeout_);
    // Other nodes are fine, and this one was doubted for long: its viewers do not all leave it at once.
    if (shared_.is_doubted() && !state.is_lost_for_certain) state.leaving_since = now;
    set_condition(known, NodeCondition::down, "silent");
    changed_ = true;
  }
}

bool NodeRegistry::believes_failure(const Known& known, base::SteadyTime now) const {
  if (!shared_.is_doubted() || known.reach.is_lost_for_certain(now, timeout_)) return true;
  if (known.state.condition == NodeCondition::unheard) return true;
  const auto since = known.reach.failing_since(now, timeout_);
  if (since && *since < shared_.from()) return true;  // it has failed for longer, for its own reason
  return shared_.failing() < shared_.nodes() && known.reach.is_cut_off(now, kLongestDoubt);
}

void NodeRegistry::look_for_shared_failure(base::SteadyTime now) {
  std::vector<NodeFailure> nodes;
  nodes.reserve(known_.size());
  for (const auto& known : known_) {
    const auto& state = known.state;
    const bool is_down = state.condition == NodeCondition::down;
    nodes.push_back({.counts = !state.last.run.empty() && !known.reach.is_lost_for_certain(now, timeout_),
                     .is_lost = known.reach.silence(now) >= timeout_ || !known.reach.unreachable().empty(),
                     .is_out = is_down || !state.why_unhealthy.empty(),
                     .since = known.reach.failing_since(now, timeout_)});
  }
  switch (shared_.update(nodes, timeout_)) {
    case SharedFailure::Change::began: doubt_failures(now); break;
    case SharedFailure::Change::ended: end_doubt(now); break;
    case SharedFailure::Change::none: break;
  }
  std::size_t doubted = 0;
  for (auto& known : known_) {
    const bool is_doubted = shared_.is_doubted() && known.reach.failing_since(now, timeout_) &&
                            !believes_failure(known, now) && known.state.condition != NodeCondition::down;
    doubted += is_doubted ? 1 : 0;
    if (is_doubted != known.state.doubted.empty()) continue;
    known.state.doubted =
        is_doubted ? "heartbeats or probes fail for most nodes at once: the cause is probably at this balancer" : "";
    changed_ = true;
  }
  doubted_.set(static_cast<double>(doubted));
}

/// Returns the nodes to service whose loss was a part of the failure that is doubted now.
void NodeRegistry::doubt_failures(base::SteadyTime now) {
  doubted_since_ = now;
  log_.warning("balancer", "node_failures_doubted",
               {{"failing", shared_.failing()},
                {"nodes", shared_.nodes()},
                {"action", "check this balancer's uplink, firewall and clock; the nodes stay in service"}});
  for (auto& known : known_) {
    const auto since = known.reach.failing_since(now, timeout_);
    if (!since || *since < shared_.from() || known.state.last.run.empty()) continue;
    known.reach.request_probe();  // a refused one is certain
    auto& state = known.state;
    judge_reachability(known, now);
    if (state.is_lost_for_certain) continue;
    if (state.condition == NodeCondition::down && !known.losses.empty()) known.losses.pop_back();
    // It was not away for others, so that its share of viewers does not ramp up.
    if (const auto condition = condition_by_reports(state); condition != state.condition)
      set_condition(known, condition, state.last.reason.empty() ? state.unfit : state.last.reason);
    changed_ = true;
  }
}

void NodeRegistry::end_doubt(base::SteadyTime now) {
  log_.info("balancer", "node_failures_believed", {{"failing", shared_.failing()}, {"nodes", shared_.nodes()}});
  if (now - doubted_since_ < timeout_ / 2) return;  // the heartbeats of the others were only late
  for (auto& known : known_)
    if (known.state.condition != NodeCondition::down && known.state.why_unhealthy.empty() &&
        !known.reach.is_lost_for_certain(now, late_after(timeout_)))
      known.reach.excuse(now + timeout_);  // a heartbeat or probe may be on its way
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
  if (condition == NodeCondition::up) state.leaving_since.reset();
  known.up.set(condition == NodeCondition::up ? 1 : 0);
  const auto& id = state.address->id;
  if (condition == NodeCondition::up) {
    log_.info(
        "balancer", "node_up",
        {{"node", id}, {"url", state.address->url}, {"before", to_string(before)}, {"version", state.last.version}});
  } else {
    log_.warning("balancer", condition == NodeCondition::down ? "node_lost" : "node_unhealthy",
                 {{"node", id},
                  {"before", to_string(before)},
                  {"reason", reason},
                  {"silent_ms", ms_between(state.last_heartbeat, clock_.steady_now())}});
  }
}

void NodeRegistry::publish() {
  const auto before = table_.get();
  auto table = std::make_shared<NodeTable>();
  table->nodes.reserve(known_.size());
  for (const auto& known : known_) table->nodes.push_back(known.state);
  table->index(before.get());
  const bool is_first_back = table->has_usable_node() && !before->nodes.empty() && !before->has_usable_node();
  for (std::size_t i = 0; is_first_back && i < known_.size(); ++i) {
    auto& state = known_[i].state;
    if (state.is_usable() || state.is_lost_for_certain || state.leaving_since) continue;
    // Viewers had no other node, and stayed: they do not all go to the first one that returns.
    state.leaving_since = table->nodes[i].leaving_since = clock_.steady_now();
  }
  without_usable_.set(table->has_usable_node() || table->nodes.empty() ? 0 : 1);
  table_.publish(std::move(table));
  changed_ = false;
}

bool NodeRegistry::is_without_usable_node() const {
  const auto now_known = table();
  return !now_known->nodes.empty() && !now_known->has_usable_node();
}

std::string NodeRegistry::unfit(std::string_view id) const {
  const auto now_known = table();
  const auto* node = now_known->find(id);
  if (!node || node->condition != NodeCondition::unhealthy) return "";
  return node->why_unhealthy.empty() ? node->unfit : node->why_unhealthy;
}

void NodeRegistry::describe(base::json::Writer& w) const {
  const auto now = clock_.steady_now();
  w.key("nodes").begin_array();
  const auto now_known = table();  // the loop reads it, so it must outlive the loop
  for (const auto& node : now_known->nodes) {
    w.begin_object()
        .member("id", node.address->id)
        .member("url", node.address->url)
        .member("state", to_string(node.condition))
        .member("since_unix", base::unix_seconds(node.since))
        .member("silent_ms", ms_between(node.last_heartbeat, now))
        .member("reason", why(node, now))
        .member("group", node.group_id())
        .member("viewers", node.viewers->count.load())
        .member("draining", node.draining_since.has_value())
        .member("held", node.held_until && now < *node.held_until)
        .member("version", node.last.version)
        .member("sent_mbps", node.last.sent_mbps)
        .member("capacity_mbps", node.capacity_mbps)
        .member("connections", node.last.connections)
        .member("sessions", node.last.sessions)
        .member("player_reports", node.last.player_reports)
        .member("rebuffer_ratio", node.last.rebuffer_ratio)
        .member("player_mbps", node.last.player_mbps)
        .member("objects", node.last.objects)
        .member("stored_bytes", node.last.stored_bytes)
        .member("max_bytes", node.last.max_bytes)
        .member("disk_free_bytes", node.last.disk_free_bytes);
    describe_delivery(w, node.last);
    w.end_object();
  }
  w.end_array();
}

}  // namespace tribune::balancer
