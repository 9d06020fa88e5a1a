#pragma once
// Which of a channel's origins its playlists are fetched from: the first in the order of preference that is well. Pure;
// the times are given. Owned by one worker.
//
// States of an origin
//   well       may be asked                                                           (succeeded)
//   resting    failed twice in a row, or once by keeping us waiting: not asked        (failed)
//   due        its rest is over: one probe asks it, beside what viewers wait for      (probe_due; it ends with
//   succeeded or failed)
// When none is well, the one that rested longest is asked.

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include "base/clock.h"

namespace tribune::balancer {

class SourceOrigins {
 public:
  /// `count` is at least 1: the source's own origin and its backups.
  explicit SourceOrigins(std::size_t count) : origins_(count) {}

  std::size_t count() const { return origins_.size(); }
  std::size_t choice() const;
  bool is_well(std::size_t origin) const { return origins_[origin].well; }

  /// Whether it began to be well, or to rest: worth a line in the log.
  bool succeeded(std::size_t origin);
  enum class How { at_once, slowly };
  bool failed(std::size_t origin, How, base::SteadyTime now);

  /// A resting origin, preferred to the present choice, whose rest is over; it counts as probed from then on.
  std::optional<std::size_t> probe_due(base::SteadyTime now);

  static constexpr std::chrono::seconds kFirstRest{5};
  static constexpr std::chrono::seconds kLongestRest{60};

 private:
  struct Origin {
    bool well = true;
    int failures = 0;  // in a row
    std::chrono::seconds rest{0};
    base::SteadyTime next_try{};
  };
  std::vector<Origin> origins_;
};

}  // namespace tribune::balancer
