#pragma once
// Whose turn it is in a fill's line of places (fill_candidates.h): who is asked now, who comes next, and for how long
// all of them are asked again about what is about to exist. Asks nobody.

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "cache_node/filling/circuit_breakers.h"
#include "cache_node/filling/fill_candidates.h"
#include "cache_node/settings/fill_settings.h"

namespace tribune::cache_node {

/// Owned by one worker. Keeps references to all that it is made of.
class CandidateSequence {
 public:
  CandidateSequence(const std::vector<FillCandidate>& candidates, Circuits&, const base::Clock&, const FillSettings&);

  const FillCandidate& current() const { return candidates_[position_]; }
  /// From 0 on; of the same fill the same number is the same place.
  std::size_t number() const { return position_; }
  bool has_next() const {
    return position_ + 1 < candidates_.size() && (last_resort_ || !candidates_[position_ + 1].is_last_resort);
  }
  void next() { ++position_; }
  void restart() { position_ = 0; }

  /// Nobody here can speak for the origin: from now on those who stand behind it are asked as well. False: there is
  /// none, or they were.
  bool begin_last_resort();
  bool is_last_resort() const { return last_resort_; }

  /// Goes on to the first from here that is not left alone, in the last resort when all others are. False: the last one
  /// is left alone too.
  bool skip_open_circuits();
  /// What became of the question to current(), for all fills to know.
  void answered() { circuits_.succeeded(current().name); }
  void failed(std::string_view why, bool badly = false) {
    circuits_.failed(current().name, current().circuit, clock_.steady_now(), why, badly);
  }
  /// Whether current(), or the origin before it where that is a node, was there when it failed, and gave what cannot be
  /// used.
  bool answers_badly() const;

  /// How long to wait before all are asked again, each time twice as long. Nothing: it was waited for long enough.
  std::optional<std::chrono::milliseconds> next_retry_delay();
  /// Whether a node that waits itself is asked once more.
  bool waits_for_node() const;
  /// Once for each fill.
  bool may_retry() { return !std::exchange(retried_, true); }

  base::SteadyTime started() const { return started_; }

 private:
  const std::vector<FillCandidate>& candidates_;
  Circuits& circuits_;
  const base::Clock& clock_;
  const FillSettings& settings_;
  const base::SteadyTime started_;
  std::chrono::milliseconds pause_;
  std::size_t position_ = 0;
  bool retried_ = false;
  bool last_resort_ = false;
};

}  // namespace tribune::cache_node
