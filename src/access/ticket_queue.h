#pragma once
// One lane of one channel's queue: its tickets in their order. Decides nothing about room.
//
// A ticket's states
//   unknown   its number may have been given out by a former run of the process     (restart)
//   waiting   joined, and heard within the lease                                    (join, hear)
//   silent    not heard within the lease; comes back when it is heard before its turn (sweep)
//   called    room is kept for it                                                   (call)
//   passed    its turn came, and there was no room where it would watch: it is first as soon as there is (pass)
//   done      cancelled, or its turn was missed
//   claimed   a session was opened with it

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

enum class TicketState : std::uint8_t { unknown, waiting, silent, called, passed, done, claimed };

/// 32 bytes, for there may be a million.
struct TicketEntry {
  SessionId session = 0;
  std::uint64_t client = 0;  // a hash of the address; 0: not counted
  std::int32_t joined = 0;   // Line::ticks()
  std::int32_t heard = 0;
  std::uint32_t place = 0;  // where it would watch, as the owner numbers lists of places
  TicketState state = TicketState::unknown;
};

/// What outlives a restart. Numbers below `reserved` may have been given out; those from `next` on hardly.
struct TicketQueueRecord {
  std::uint32_t queue = 0;
  std::uint64_t served = 0, next = 1, reserved = 1;
  bool is_before_opening = false;
  Lottery lottery;
  bool operator==(const TicketQueueRecord&) const = default;
};

std::string to_text(const TicketQueueRecord&);
std::optional<TicketQueueRecord> line_record(std::string_view text);

/// Owned by its Admission, under whose lock it is used.
class TicketQueue {
 public:
  explicit TicketQueue(std::uint32_t queue) { record_.queue = queue; }

  /// Takes up what a former run wrote; every number that it may have given out is unknown.
  void take_up(const TicketQueueRecord&);
  TicketQueueRecord record() const;
  std::uint32_t queue() const { return record_.queue; }

  /// Tenths of seconds of the steady clock, up to 6.8 years. Signed, because the clock may have begun at the start of
  /// the machine: `now - lease` lies before zero then, and is earlier than every ticket.
  static std::int32_t ticks(base::SteadyTime t);

  std::uint64_t join(SessionId, std::uint64_t client, std::uint32_t place, base::SteadyTime now);
  /// Null for a number that was never given out, or was finished and forgotten.
  TicketEntry* find(std::uint64_t number);
  void set_state(std::uint64_t number, TicketState);

  std::uint64_t next() const { return record_.next; }
  std::uint64_t served() const { return record_.served; }
  std::uint64_t waiting() const { return waiting_; }
  std::uint64_t in_line() const { return record_.next - 1 - record_.served; }
  /// Of them, those of whom this process has heard and whose turn has not come: they wait, or are silent.
  std::uint64_t heard_in_line() const { return heard_in_line_; }
  bool has_head() const { return record_.served + 1 < record_.next; }
  std::uint64_t head() const { return record_.lottery.number_at(record_.served + 1); }
  /// The head's turn is over: its state says how.
  void advance();

  std::uint64_t place_of(std::uint64_t number) const { return record_.lottery.place_of(number); }
  /// Waiting tickets before this one.
  std::uint64_t ahead_of(std::uint64_t number);

  bool is_before_opening() const { return record_.is_before_opening; }
  void close_until_opening() { record_.is_before_opening = true; }
  /// Draws the order of all who came so far. `random`: any two numbers.
  void open(std::uint64_t random_a, std::uint64_t random_b);
  const Lottery& lottery() const { return record_.lottery; }

  /// Looks at up to `most` tickets, round and round, and calls `on_silent` for those that were not heard for `lease`.
  template <class OnSilent>
  void sweep(base::SteadyTime now, std::chrono::milliseconds lease, std::size_t most, OnSilent on_silent) {
    const auto least = ticks(now - lease);
    for (std::size_t i = 0; i < std::min(most, entries_.size()); ++i) {
      if (cursor_ >= entries_.size()) cursor_ = 0;
      auto& entry = entries_[cursor_];
      if (entry.state == TicketState::waiting && entry.heard < least) {
        set_state(base_ + cursor_, TicketState::silent);
        on_silent(entry);
      }
      ++cursor_;
    }
  }

  // How fast the line moves. sample() once a second.
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
  void count(std::uint64_t place, int by);
  void trim();
  std::optional<std::pair<const Sample*, const Sample*>> window() const;

  TicketQueueRecord record_;
  std::uint64_t base_ = 1;             // the number of entries_[0]
  std::deque<TicketEntry> entries_;    // by number
  std::vector<std::uint32_t> chunks_;  // waiting tickets by place, kChunk places each, from the first block on
  std::vector<std::uint32_t> blocks_;  // the same, kBlock places each
  std::uint64_t first_block_ = 0;
  std::uint64_t waiting_ = 0;
  std::uint64_t heard_in_line_ = 0;
  std::size_t cursor_ = 0;  // of sweep()
  std::uint64_t called_ = 0;
  std::deque<Sample> samples_;
};

}  // namespace tribune::access
