#pragma once
// Calls tickets when there is capacity, in the order of their numbers, and ends those that were not claimed or whose
// holder left. Over all channels the ticket that was issued first is next; among the lanes of a channel the weights
// decide. Issues no tickets and opens no sessions: admission_decide.h does.
//
// The head of a lane (ticket_queue.h names the states)
//   done       its holder has not polled for `lease`: skipped                                    (skip_abandoned)
//   called     one of its nodes has capacity, which is reserved for it                           (call)
//   deferred   none has: set aside, and called before later tickets for the same nodes           (process_head)
// A called ticket is done when it is not claimed within the reservation                          (expire_reservations)

#include <chrono>
#include <cstdint>
#include <deque>
#include <vector>

#include "access/access_settings.h"
#include "access/address_counts.h"
#include "access/capacity.h"
#include "access/channel_queues.h"
#include "base/clock.h"
#include "base/log.h"

namespace tribune::access {

/// Owned by its Admission, under whose lock it is used. One round of calls is bounded; the next round calls the
/// remaining tickets.
class TicketScheduler {
 public:
  /// `addresses`: waiting tickets by client address.
  TicketScheduler(const base::Clock&, base::Log&, const AccessSettings&, Capacity&, ChannelQueues&,
                  AddressCounts& addresses);

  /// Runs a round of calls if capacity may have become free since the last one.
  void call_if_changed();
  void call_next();

  /// Tickets of a former run that are presented before `until` keep their turn.
  void set_unknown_until(base::SteadyTime until) { unknown_until_ = until; }

  /// Opens the channel when its opening is due, and ends reservations and tickets. `is_second`: samples the speed of
  /// the lanes and their lengths.
  void sweep(ChannelQueue&, bool is_second);

  /// Stops counting the ticket for its address: it no longer waits for its turn.
  void stop_counting(const TicketEntry& entry) { addresses_.remove(entry.client); }

 private:
  void call_deferred(ChannelQueue&);
  bool trim_deferred(ChannelQueue&, std::deque<DeferredTicket>&);
  bool remove_full(std::vector<ChannelQueue*>& waiting);
  ChannelQueue* first_in_line(const std::vector<ChannelQueue*>& waiting, std::size_t& skips);
  void skip_abandoned(QueueLane&, std::size_t& skips);
  void process_head(ChannelQueue&, QueueLane&);
  void call(ChannelQueue&, QueueLane&, std::uint64_t number, TicketEntry&, const ScopeSet&);
  void expire_reservations(ChannelQueue&, QueueLane&);
  void finish_unclaimed_old(QueueLane&);
  void log(std::string_view event, const QueueLane& lane, std::uint64_t number) {
    log_ticket(log_, capacity_.scopes().global(), event, lane, number);
  }
  /// At least 1.5 refresh intervals, so that a client that polls after each `retry_after` is always in time.
  std::chrono::milliseconds reservation_time() const {
    return std::max(settings_.reservation, settings_.refresh * 3 / 2);
  }
  /// A ticket whose last poll is before this time has lost its lease.
  std::int32_t lease_start() const { return TicketQueue::ticks(clock_.steady_now() - settings_.lease()); }

  const base::Clock& clock_;
  base::Log& log_;
  const AccessSettings& settings_;
  Capacity& capacity_;
  ChannelQueues& queues_;
  AddressCounts& addresses_;
  base::SteadyTime unknown_until_{};
};

}  // namespace tribune::access
