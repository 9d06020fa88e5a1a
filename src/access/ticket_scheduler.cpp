#include "access/ticket_scheduler.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace tribune::access {
namespace {

// Bounds on one round of calls, during which the lock is held.
constexpr std::size_t kMaxCalls = 2'000;
constexpr std::size_t kMaxSkips = 50'000;
constexpr std::size_t kTicketsSweptAtOnce = 2'000;

}  // namespace

TicketScheduler::TicketScheduler(const base::Clock& clock, base::Log& log, const AccessSettings& settings,
                                 Capacity& capacity, ChannelQueues& queues, AddressCounts& addresses)
    : clock_(clock), log_(log), settings_(settings), capacity_(capacity), queues_(queues), addresses_(addresses) {}

void TicketScheduler::call_if_changed() {
  if (capacity_.has_changed()) call_next();
}

void TicketScheduler::call_next() {
  capacity_.begin_round();
  capacity_.clear_contested();
  if (capacity_.is_in_grace()) return capacity_.mark_changed();
  std::vector<ChannelQueue*> waiting;
  queues_.each([&](const auto&, ChannelQueue& queue) {
    if (!queue.is_open() || !queue.has_waiting()) return;
    call_deferred(queue);
    waiting.push_back(&queue);
  });
  std::size_t calls = 0, skips = 0;
  while (!waiting.empty()) {
    if (remove_full(waiting)) break;
    auto* queue = first_in_line(waiting, skips);
    if (skips > kMaxSkips || ++calls > kMaxCalls) {
      capacity_.stop_round();
      break;
    }
    if (!queue) break;
    process_head(*queue, *queue->next_lane());
  }
  queues_.save_lanes();
}

/// Removes full channels from the list: all their tickets, silent ones included, keep their positions until there is
/// capacity. True when the whole event is full.
bool TicketScheduler::remove_full(std::vector<ChannelQueue*>& waiting) {
  std::erase_if(waiting, [&](ChannelQueue* queue) { return capacity_.contest_if_full(*queue->scope, queue->kbps); });
  // WHY: the next ticket is the first one over all channels. When it does not fit, no later ticket may take parts of
  // the capacity.
  auto& global = capacity_.scopes().global();
  return std::any_of(waiting.begin(), waiting.end(),
                     [&](ChannelQueue* queue) { return capacity_.contest_if_full(global, queue->kbps); });
}

/// The channel whose next ticket was issued first.
ChannelQueue* TicketScheduler::first_in_line(const std::vector<ChannelQueue*>& waiting, std::size_t& skips) {
  ChannelQueue* first = nullptr;
  auto first_joined = std::numeric_limits<std::int32_t>::max();
  for (auto* queue : waiting) {
    for (const auto& lane : queue->lanes) skip_abandoned(*lane, skips);
    if (skips > kMaxSkips) return nullptr;
    auto* lane = queue->next_lane();
    if (!lane) continue;
    const auto joined = lane->tickets.find(lane->tickets.head())->joined;
    if (first && joined >= first_joined) continue;
    first = queue;
    first_joined = joined;
  }
  return first;
}

/// Advances the lane to the first ticket whose holder has polled within the lease.
void TicketScheduler::skip_abandoned(QueueLane& lane, std::size_t& skips) {
  const auto now = clock_.steady_now();
  const auto least = lease_start();
  auto& tickets = lane.tickets;
  while (tickets.has_head() && skips <= kMaxSkips) {
    const auto number = tickets.head();
    auto* entry = tickets.find(number);
    const auto state = entry ? entry->state : TicketState::done;
    if (state == TicketState::waiting && entry->last_poll >= least) return;
    ++skips;
    if (state == TicketState::unknown && now < unknown_until_) {
      lane.unclaimed_old.push_back(number);
    } else if (entry && state < TicketState::done) {
      if (state != TicketState::unknown) {
        lane.abandoned.add();
        log("ticket_abandoned", lane, number);
      }
      if (state == TicketState::waiting) stop_counting(*entry);
      tickets.set_state(number, TicketState::done);
    }
    lane.advance();
  }
}

/// Calls or defers the head of the lane.
void TicketScheduler::process_head(ChannelQueue& queue, QueueLane& lane) {
  queue.charge_turn(lane);
  const auto number = lane.tickets.head();
  auto& entry = *lane.tickets.find(number);
  stop_counting(entry);
  if (const auto scopes = capacity_.find_for_ticket(queue.scope, queue.kbps, entry.node_list)) {
    call(queue, lane, number, entry, *scopes);
  } else {
    lane.tickets.set_state(number, TicketState::deferred);
    queue.defer(lane, number, entry);
    log("ticket_passed_by", lane, number);
  }
  lane.advance();
}

/// Calls deferred tickets: of those whose nodes have capacity, the earliest first.
void TicketScheduler::call_deferred(ChannelQueue& queue) {
  auto& deferred = queue.deferred();
  std::vector<std::uint32_t> lists;
  for (auto tickets = deferred.begin(); tickets != deferred.end();) {
    const bool has_any = trim_deferred(queue, tickets->second);
    if (has_any) lists.push_back(tickets->first);
    tickets = has_any ? std::next(tickets) : deferred.erase(tickets);
  }
  const auto comes_before = [&](std::uint32_t a, std::uint32_t b) {
    return deferred[a].front().joined < deferred[b].front().joined;
  };
  while (!lists.empty()) {
    const auto first = std::min_element(lists.begin(), lists.end(), comes_before);
    auto& tickets = deferred[*first];
    const auto scopes = capacity_.find_for_ticket(queue.scope, queue.kbps, *first);
    if (!scopes) {
      capacity_.contest(queue.scope, queue.kbps, *first);
      lists.erase(first);
      continue;
    }
    const auto [lane, number, joined] = tickets.front();
    tickets.pop_front();
    call(queue, *queue.lanes[lane], number, *queue.lanes[lane]->tickets.find(number), *scopes);
    if (trim_deferred(queue, tickets)) continue;
    deferred.erase(*first);
    lists.erase(first);
  }
}

/// Removes tickets at the front whose holders have left the queue. False when no ticket remains.
bool TicketScheduler::trim_deferred(ChannelQueue& queue, std::deque<DeferredTicket>& tickets) {
  const auto least = lease_start();
  for (; !tickets.empty(); tickets.pop_front()) {
    auto& lane = *queue.lanes[tickets.front().lane];
    const auto number = tickets.front().number;
    const auto* entry = lane.tickets.find(number);
    if (!entry || entry->state != TicketState::deferred) continue;
    if (entry->last_poll >= least) return true;
    lane.abandoned.add();
    log("ticket_abandoned", lane, number);
    lane.tickets.set_state(number, TicketState::done);
  }
  return false;
}

void TicketScheduler::call(ChannelQueue& queue, QueueLane& lane, std::uint64_t number, TicketEntry& entry,
                           const ScopeSet& scopes) {
  entry.node_list = capacity_.node_lists().number({{scopes.group, scopes.node}});
  capacity_.reserve(scopes, queue.kbps);
  lane.tickets.set_state(number, TicketState::called);
  lane.tickets.count_call();
  lane.reservations.push_back({clock_.steady_now() + reservation_time(), number});
  lane.called.add();
  log("ticket_called", lane, number);
}

/// Ends called tickets that were not claimed. While a limit or a drill prevents the claim, a ticket does not end. A
/// poll of its holder restarts the reservation.
void TicketScheduler::expire_reservations(ChannelQueue& queue, QueueLane& lane) {
  const auto now = clock_.steady_now();
  auto& reservations = lane.reservations;
  const auto is_earlier = [](const auto& a, const auto& b) { return a.until < b.until; };
  while (!reservations.empty() && reservations.front().until <= now) {
    auto due = reservations.front();
    reservations.pop_front();
    auto* entry = lane.tickets.find(due.number);
    if (!entry || entry->state != TicketState::called) continue;
    const auto scopes = capacity_.scopes_of_called(queue.scope, entry->node_list);
    const auto silent = std::chrono::milliseconds{100} * (TicketQueue::ticks(now) - entry->last_poll);
    due.until = capacity_.may_claim(scopes) ? now + reservation_time() - silent : now + reservation_time();
    if (due.until > now) {
      reservations.insert(std::upper_bound(reservations.begin(), reservations.end(), due, is_earlier), due);
      continue;
    }
    capacity_.cancel_reservation(scopes, queue.kbps);
    lane.tickets.set_state(due.number, TicketState::done);
    lane.unclaimed.add();
    log("ticket_unclaimed", lane, due.number);
    capacity_.mark_changed();
  }
}

void TicketScheduler::finish_unclaimed_old(QueueLane& lane) {
  for (const auto number : lane.unclaimed_old) {
    const auto* entry = lane.tickets.find(number);
    if (entry && entry->state == TicketState::unknown) lane.tickets.set_state(number, TicketState::done);
  }
  lane.unclaimed_old.clear();
}

void TicketScheduler::sweep(ChannelQueue& queue, bool is_second) {
  const auto now = clock_.steady_now();
  if (queue.is_due(now)) {
    queue.open(log_);
    capacity_.mark_changed();
  }
  for (auto& lane : queue.lanes) {
    expire_reservations(queue, *lane);
    if (!lane->unclaimed_old.empty() && now >= unknown_until_) finish_unclaimed_old(*lane);
    lane->tickets.sweep(now, settings_.lease(), kTicketsSweptAtOnce,
                        [&](const TicketEntry& entry) { stop_counting(entry); });
    if (!is_second) continue;
    lane->tickets.sample(now);
    lane->publish_length();
    if (lane->tickets.next() != lane->disk.writing.next) lane->disk.is_dirty = true;
  }
}

}  // namespace tribune::access
