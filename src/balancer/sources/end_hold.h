#pragma once
// Decides whether the end of a playlist (EXT-X-ENDLIST) is believed. A packager that is stopped writes it, although the
// programme goes on at a backup, or at the same packager after its restart.
//
// States
//   open      no end was received, or it was believed
//   holding   the end of a playlist that was live is not shown to viewers yet         (holds)
// The hold ends when no other origin of the channel is healthy and hold_end has passed since it began, or when the
// operator has ended the channel. Pure; times are passed in. Owned by one worker.

#include <chrono>
#include <optional>

#include "base/clock.h"

namespace tribune::balancer {

struct EndFacts {
  bool was_live = false;          // its viewers follow it, and it had no end before
  bool is_other_healthy = false;  // an origin other than the one that sent the end
  bool is_ended_by_operator = false;
  std::chrono::milliseconds hold_end{0};
};

class EndHold {
 public:
  /// For each response with an end: whether it is held.
  bool holds(const EndFacts&, base::SteadyTime now);
  /// For each response without an end.
  void release() { since_.reset(); }
  bool is_holding() const { return since_.has_value(); }

 private:
  std::optional<base::SteadyTime> since_;
};

}  // namespace tribune::balancer
