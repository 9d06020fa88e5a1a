#pragma once
// The tickets of one lane in their order. It does not handle capacity.
//
// A ticket's states
//   unknown    its number may have been issued by a former run of the process              (restore)
//   waiting    issued, and its holder polled within the lease                              (add, set_state)
//   silent     its holder has not polled within the lease; waits again when it is polled before its turn (sweep)
//   called     capacity is reserved for it
//   deferred   its turn came while none of its nodes had capacity: it is called before other tickets for these nodes
//   done       cancelled, or its turn was missed
//   claimed    a session was opened with it
// AdmissionDecider and TicketScheduler set the other states with set_state().

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "access/queue_status.h"
#include "access/sessions.h"
#include "base/clock.h"

namespace tribune::access {

enum class TicketState : std::uint8_t { unknown, waiting, silent, called, deferred, done, claimed };

/// 32 bytes: there may be a million.
struct TicketEntry {
  SessionId session = 0;
  std::uint64_t client = 0;  // a hash of the address; 0: not counted
  std::int32_t joined = 0;   // TicketQueue::ticks()
  std::int32_t last_poll = 0;
  std::uint32_t node_list = 0;  // the nodes where it would watch, a number from NodeListIndex
  TicketState state = TicketState::unknown;
};

/// The part that is kept across a restart. Numbers below `reserved` may have been issued; those from `next` on are
/// unlikely to have been.
struct TicketQueueRecord {
  std::uint32_t queue = 0;
  std::uint64_t served = 0, next = 1, reserved = 1;
  bool is_before_opening = false;
  Lottery lottery;
  bool operator==(const TicketQueueRecord&) const = default;
};

std::string to_text(const TicketQueueRecord&);
/// nullopt for a damaged text.
std::optional<TicketQueueRecord> parse_ticket_queue_record(std::string_view text);

/// Owned by its Admission, under whose lock it is used.
class TicketQueue {
 public:
  explicit TicketQueue(std::uint32_t queue) { record_.queue = queue; }

  /// Continues from the record of a former run; every number that it may have issued has the state `unknown`.
  void restore(const TicketQueueRecord&);
  TicketQueueRecord record() const;
  std::uint32_t queue() const { return record_.queue; }

  /// Tenths of seconds of the steady clock, up to 6.8 years. Signed, because the clock may begin at the start of the
  /// machine: `now - lease` is negative then, and earlier than every ticket.
  static std::int32_t ticks(base::SteadyTime t);

  /// Issues the next number.
  std::uint64_t add(SessionId, std::uint64_t client, std::uint32_t node_list, base::SteadyTime now);
  /// nullptr for a number that was never issued, or was finished and removed.
  TicketEntry* find(std::uint64_t number);
  void set_state(std::uint64_t number, TicketState);

  std::uint64_t next() const { return record_.next; }
  std::uint64_t served() const { return record_.served; }
  std::uint64_t waiting() const { return waiting_; }
  /// Numbers whose turn has not come.
  std::uint64_t unserved() const { return record_.next - 1 - record_.served; }
  /// Tickets that are waiting or silent.
  std::uint64_t known_unserved() const { return known_unserved_; }
  bool has_head() const { return record_.served + 1 < record_.next; }
  std::uint64_t head() const { return record_.lottery.number_at(record_.served + 1); }
  /// Ends the turn of the head.
  void advance();

  std::uint64_t place_of(std::uint64_t number) const { return record_.lottery.place_of(number); }
  /// Waiting tickets before this one.
  std::uint64_t ahead_of(std::uint64_t number);

  bool is_before_opening() const { return record_.is_before_opening; }
  void close_until_opening() { record_.is_before_opening = true; }
  /// Draws the order of all tickets that were issued so far. `random`: any two numbers.
  void open(std::uint64_t random_a, std::uint64_t random_b);
  const Lottery& lottery() const { return record_.lottery; }

  /// Examines up to `most` tickets, continuing where the last call ended, and calls `on_silent` for those whose holder
  /// has not polled for `lease`.
  template <class OnSilent>
  void sweep(base::SteadyTime now, std::chrono::milliseconds lease, std::size_t most, OnSilent on_silent) {
    const auto least = ticks(now - lease);
    for (std::size_t i = 0; i < std::min(most, entries_.size()); ++i) {
      if (cursor_ >= entries_.size()) cursor_ = 0;
      auto& entry = entries_[cursor_];
      if (entry.state == TicketState::waiting && entry.last_poll < least) {
        set_state(base_ + cursor_, TicketState::silent);
        on_silent(entry);
      }
      ++cursor_;
    }
  }

  // The speed of the queue. Call sample() once a second.
  void sample(base::SteadyTime now);
  void count_call() { ++called_; }
  std::optional<double> places_per_second() const;
  std::optional<double> calls_per_second() const;

 private:
  struct Sample {
    base::SteadyTime at;
    std::uint64_t served, called;
  };
  static constexpr std::uint64_t kChunk = 64, kBlock = 64 * kChunk;
  void count_waiting(std::uint64_t place, int by);
  void trim();
  std::optional<std::pair<const Sample*, const Sample*>> window() const;

  TicketQueueRecord record_;
  std::uint64_t base_ = 1;             // the number of entries_[0]
  std::deque<TicketEntry> entries_;    // by number
  std::vector<std::uint32_t> chunks_;  // waiting tickets by place, kChunk places each, from the first block on
  std::vector<std::uint32_t> blocks_;  // as above, kBlock places each
  std::uint64_t first_block_ = 0;
  std::uint64_t waiting_ = 0;
  std::uint64_t known_unserved_ = 0;
  std::size_t cursor_ = 0;  // position of sweep() in entries_
  std::uint64_t called_ = 0;
  std::deque<Sample> samples_;
};

}  // namespace tribune::access
