#include "access/channel_queues.h"

#include <utility>

#include "base/ids.h"

namespace tribune::access {

ChannelQueues::ChannelQueues(base::Metrics& metrics, const AccessSettings& settings, ChannelLabelsPtr labels,
                             Capacity& capacity, AccessStore& store)
    : metrics_(metrics), settings_(settings), labels_(std::move(labels)), capacity_(capacity), store_(store) {}

ChannelQueue& ChannelQueues::at(std::string_view id) {
  if (const auto found = queues_.find(id); found != queues_.end()) return *found->second;
  auto queue = std::make_unique<ChannelQueue>(capacity_.scopes().at(ScopeKind::channel, id));
  auto lanes = settings_.lanes;
  if (lanes.empty()) lanes.push_back({"general", 1});
  for (const auto& lane : lanes) {
    const auto number = static_cast<std::uint32_t>(base::random_u64());
    queue->lanes.push_back(std::make_unique<QueueLane>(static_cast<std::uint8_t>(queue->lanes.size()), lane, id,
                                                       labels_ ? labels_->of(id) : std::string(id), number, metrics_));
    store_.restore_lane(*queue->lanes.back());
    store_.save_lane(*queue->lanes.back());
  }
  capacity_.apply_limits();
  return *queues_.emplace(std::string(id), std::move(queue)).first->second;
}

ChannelQueue* ChannelQueues::find(std::string_view id) const {
  const auto found = queues_.find(id);
  return found == queues_.end() ? nullptr : found->second.get();
}

std::optional<std::int64_t> ChannelQueues::least_kbps() const {
  std::optional<std::int64_t> least;
  for (const auto& [id, queue] : queues_) least = std::min(least.value_or(queue->kbps), queue->kbps);
  return least;
}

bool ChannelQueues::is_idle() const {
  const auto is_idle_lane = [](const auto& lane) {
    return lane->tickets.unserved() == 0 && lane->reservations.empty();
  };
  for (const auto& [id, queue] : queues_)
    if (!queue->deferred().empty() || !std::all_of(queue->lanes.begin(), queue->lanes.end(), is_idle_lane))
      return false;
  return true;
}

void ChannelQueues::save_lanes() {
  each_lane([this](QueueLane& lane) { store_.save_lane(lane); });
}

}  // namespace tribune::access
