#pragma once
// The queue of one channel: its lanes, the deferred tickets, and whether it is open. It makes no decisions about
// capacity.
//
// States of a queue
//   closed   before the opening of the channel: tickets are issued, none is called     (close_until)
//   open     tickets are called in their order; at the opening that order is drawn      (open)

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/access_settings.h"
#include "access/queue_lane.h"
#include "access/scope.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/settled_wall_clock.h"

namespace tribune::access {

/// A ticket whose turn came while none of its nodes had capacity.
struct DeferredTicket {
  std::uint8_t lane;
  std::uint64_t number;
  std::int32_t joined;  // the earliest is called first
};

/// Owned by ChannelQueues, under the lock of Admission.
class ChannelQueue {
 public:
  explicit ChannelQueue(Scope* channel) : scope(channel) {}

  /// Waiting tickets of all lanes, and deferred ones.
  std::uint64_t waiting() const;
  bool has_waiting() const;

  /// The lane of this name; the first lane for an unknown name.
  QueueLane& lane_named(std::string_view);
  /// The lane of a ticket, nullptr when the ticket is of another queue.
  QueueLane* lane_of(const TicketClaim&);

  /// The lane whose turn it is: lanes with tickets share by their weights, and a lane gains no credit while it has
  /// none. nullptr when all are empty.
  QueueLane* next_lane();
  /// Charges the lane for its turn.
  void charge_turn(QueueLane&);

  /// Deferred tickets by the number of their list of nodes, in the order of `joined`; no list is empty.
  using Deferred = std::map<std::uint32_t, std::deque<DeferredTicket>>;
  Deferred& deferred() { return deferred_; }
  void defer(const QueueLane&, std::uint64_t number, const TicketEntry&);
  void remove_deferred(const QueueLane&, std::uint64_t number, const TicketEntry&);

  bool is_open() const { return is_open_; }
  const std::optional<base::SteadyTime>& opens_at() const { return opens_at_; }
  bool is_due(base::SteadyTime now) const { return !is_open_ && !(opens_at_ && now < *opens_at_); }
  void close_until(base::WallTime, const base::SettledWallClock&);
  /// Computes opens_at() again: the clock was corrected.
  void schedule_opening(const base::SettledWallClock&);
  /// Opens without a lottery when no ticket was issued before.
  void open(base::Log&);
  /// Whether the order of the tickets has been drawn by lot.
  bool had_lottery() const;

  Scope* const scope;  // null beyond the bound of scopes
  bool is_configured = false;
  bool was_configured = false;  // in this process; false for a channel that only sessions of a former process have
  std::int64_t kbps = 5'000;    // predicted for one viewer
  std::vector<std::unique_ptr<QueueLane>> lanes;

 private:
  bool is_open_ = true;
  std::optional<base::WallTime> opening_;
  std::optional<base::SteadyTime> opens_at_;
  Deferred deferred_;
};

}  // namespace tribune::access
