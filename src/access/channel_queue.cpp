#include "access/channel_queue.h"

#include <algorithm>

#include "base/ids.h"

namespace tribune::access {

std::uint64_t ChannelQueue::waiting() const {
  std::uint64_t sum = 0;
  for (const auto& lane : lanes) sum += lane->tickets.waiting();
  for (const auto& [list, tickets] : deferred_) sum += tickets.size();
  return sum;
}

bool ChannelQueue::has_waiting() const {
  if (!deferred_.empty()) return true;
  return std::any_of(lanes.begin(), lanes.end(), [](const auto& lane) { return lane->tickets.has_head(); });
}

QueueLane& ChannelQueue::lane_named(std::string_view name) {
  const auto found = std::find_if(lanes.begin(), lanes.end(), [&](const auto& lane) { return lane->name == name; });
  return found == lanes.end() ? *lanes.front() : **found;
}

QueueLane* ChannelQueue::lane_of(const TicketClaim& ticket) {
  if (ticket.lane >= lanes.size() || lanes[ticket.lane]->tickets.queue() != ticket.queue) return nullptr;
  return lanes[ticket.lane].get();
}

QueueLane* ChannelQueue::next_lane() {
  QueueLane* best = nullptr;
  for (auto& lane : lanes) {
    if (!lane->tickets.has_head()) {
      lane->credit = 0;
    } else if (!best || lane->credit + lane->share > best->credit + best->share) {
      best = lane.get();
    }
  }
  return best;
}

void ChannelQueue::charge_turn(QueueLane& lane) {
  std::int64_t shares = 0;
  for (auto& other : lanes) {
    if (!other->tickets.has_head()) continue;
    other->credit += other->share;
    shares += other->share;
  }
  lane.credit -= shares;
}

void ChannelQueue::defer(const QueueLane& lane, std::uint64_t number, const TicketEntry& entry) {
  auto& tickets = deferred_[entry.node_list];
  auto behind = tickets.end();
  while (behind != tickets.begin() && std::prev(behind)->joined > entry.joined) --behind;
  tickets.insert(behind, {lane.index, number, entry.joined});
}

void ChannelQueue::remove_deferred(const QueueLane& lane, std::uint64_t number, const TicketEntry& entry) {
  auto& tickets = deferred_[entry.node_list];
  std::erase_if(tickets, [&](const DeferredTicket& one) { return one.lane == lane.index && one.number == number; });
  if (tickets.empty()) deferred_.erase(entry.node_list);
}

void ChannelQueue::close_until(base::WallTime opening, const base::SettledWallClock& clock) {
  is_open_ = false;
  opening_ = opening;
  schedule_opening(clock);
  for (auto& lane : lanes) lane->tickets.close_until_opening();
}

void ChannelQueue::schedule_opening(const base::SettledWallClock& clock) {
  if (opening_) opens_at_ = clock.when(*opening_);
}

void ChannelQueue::open(base::Log& log) {
  is_open_ = true;
  opening_.reset();
  opens_at_.reset();
  for (auto& lane : lanes) {
    if (!lane->tickets.is_before_opening()) continue;
    lane->tickets.open(base::random_u64(), base::random_u64());
    lane->disk.is_dirty = true;
    log.info("access", "queue_opened",
             {{"channel", scope->id}, {"lane", lane->name}, {"waiting", lane->tickets.waiting()}});
  }
}

bool ChannelQueue::had_lottery() const {
  return std::any_of(lanes.begin(), lanes.end(), [](const auto& lane) { return lane->tickets.lottery() != Lottery{}; });
}

}  // namespace tribune::access
