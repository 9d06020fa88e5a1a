#include "cache_node/balancer_link/heartbeat_content.h"

#include "runtime/memory_monitor.h"
#include "runtime/process_metrics.h"

namespace tribune::cache_node {

namespace {
constexpr std::size_t kMaxReasonBytes = 200;
constexpr std::chrono::seconds kViewerWindow{10};
}  // namespace

HeartbeatContent::HeartbeatContent(HeartbeatContentParts parts) : parts_(parts), gauges_(parts.metrics) {}

contracts::Heartbeat HeartbeatContent::next(std::string_view store_problem) {
  const auto now = parts_.clock.steady_now();
  contracts::Heartbeat heartbeat;
  heartbeat.version = parts_.version;
  heartbeat.reason = store_problem.substr(0, kMaxReasonBytes);
  add_traffic(heartbeat, now);
  add_players(heartbeat);
  add_store(heartbeat);
  add_experience(heartbeat, now);
  add_process(heartbeat);
  start_window(now);
  return heartbeat;
}

void HeartbeatContent::add_traffic(contracts::Heartbeat& h, base::SteadyTime now) {
  const auto sent = parts_.viewer_requests.sent_bytes.value() + parts_.node_requests.sent_bytes.value();
  const auto seconds = last_at_ ? std::chrono::duration<double>(now - *last_at_).count() : 0;
  h.sent_mbps = seconds <= 0 ? 0 : (sent - last_sent_bytes_) * 8 / 1e6 / seconds;
  h.channel_mbps = parts_.traffic.take(seconds, contracts::kMaxHeartbeatChannels);
  h.capacity_mbps = parts_.view.get()->settings.capacity_mbps;
  h.sessions = parts_.viewers.viewers();
  h.connections = h.sessions;
  parts_.duress.update(h.sent_mbps, h.capacity_mbps, h.sessions, now);
  last_at_ = now;
  last_sent_bytes_ = sent;
}

void HeartbeatContent::add_players(contracts::Heartbeat& h) const {
  const auto players = parts_.viewer_requests.players.recent();
  h.player_reports = players.reports;
  h.player_networks = players.networks;
  h.starved_networks = players.starved_networks;
  h.rebuffer_ratio = players.rebuffer_ratio;
  h.player_mbps = players.throughput_mbps;
}

void HeartbeatContent::add_store(contracts::Heartbeat& h) const {
  const auto totals = parts_.index.totals();
  h.objects = static_cast<std::int64_t>(totals.objects);
  h.stored_bytes = static_cast<std::int64_t>(totals.bytes + totals.memory_bytes);
  h.max_bytes = static_cast<std::int64_t>(totals.max_bytes);
  if (parts_.files) h.disk_free_bytes = static_cast<std::int64_t>(parts_.files->free_bytes());
}

void HeartbeatContent::add_experience(contracts::Heartbeat& h, base::SteadyTime now) {
  h.experience = window_.advance(now, experience_so_far(parts_.viewer_requests, parts_.fills));
  h.origin_answers = parts_.origin_answers.counts();
  gauges_.show(h.experience);
  experience_.publish(std::make_shared<contracts::NodeExperience>(h.experience));
}

void HeartbeatContent::add_process(contracts::Heartbeat& h) const {
  h.memory = runtime::to_string(base::Memory::of_process().level());
  const auto descriptors = runtime::descriptors();
  h.descriptors = descriptors.open;
  h.max_descriptors = descriptors.most;
}

/// Viewers and players are counted in windows.
void HeartbeatContent::start_window(base::SteadyTime now) {
  if (now - window_began_ <= kViewerWindow) return;
  parts_.viewers.start_window();
  parts_.viewer_requests.players.start_window();
  window_began_ = now;
}

}  // namespace tribune::cache_node
