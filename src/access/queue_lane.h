#pragma once
// One lane of one channel's queue: its tickets (ticket_queue.h), the reservations of called tickets, its progress on
// disk, and its metrics. It calls no tickets and writes nothing to disk: ticket_scheduler.h and access_store.h do this.

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "access/access_settings.h"
#include "access/scope.h"
#include "access/ticket_queue.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

namespace tribune::access {

/// Numbers are on disk before they are issued, and a position is on disk as served before its ticket may be claimed: a
/// restart issues no number twice, and calls no ticket that was called.
struct LaneOnDisk {
  std::string key;
  std::uint64_t reserved = 0, served = 0;  // on disk
  std::uint64_t first = 1;                 // the first number that this process may issue
  TicketQueueRecord writing;               // the record in flight, or the last one written
  bool is_writing = false;
  bool is_dirty = true;
};

/// Owned by its ChannelQueue, under the lock of Admission.
struct QueueLane {
  struct Reservation {
    base::SteadyTime until;
    std::uint64_t number;
  };

  /// `label`: the channel's label in the metrics; several channels may share one.
  QueueLane(std::uint8_t index, const LaneSettings&, std::string_view channel, std::string_view label,
            std::uint32_t queue, base::Metrics&);

  /// Whether the next number is on disk, so that it may be issued.
  bool may_issue() const { return tickets.next() < disk.reserved; }
  /// Whether the turn of a ticket is over, and whether that is on disk.
  bool is_served(std::uint64_t number) const { return tickets.place_of(number) <= tickets.served(); }
  bool is_served_on_disk(std::uint64_t number) const { return tickets.place_of(number) <= disk.served; }
  /// Ends the turn of the ticket at the head.
  void advance() {
    tickets.advance();
    disk.is_dirty = true;
  }
  void publish_length();

  const std::uint8_t index;
  const std::string name;
  const std::int64_t share;
  std::int64_t credit = 0;  // smooth weighted round robin among the lanes that have tickets
  TicketQueue tickets;
  std::deque<Reservation> reservations;      // in the order of `until`
  std::vector<std::uint64_t> unclaimed_old;  // numbers of a former run that were served before they were presented
  LaneOnDisk disk;

  base::Gauge length;
  std::size_t published_length = 0;  // this lane's part of `length`
  base::Counter called, claimed, abandoned, unclaimed;
  base::Histogram wait_time;
};

/// Logs each step of a ticket at level "debug": issued, called, claimed, abandoned.
void log_ticket(base::Log&, const Scope& global, std::string_view event, const QueueLane&, std::uint64_t number);

}  // namespace tribune::access
