#pragma once
// The position in a fill's list of candidates (fill_candidates.h): the current candidate, the next one, and the delays
// before all candidates are asked again for an object that does not exist yet. It sends no request itself.

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

/// Owned by one worker. Keeps references to its arguments.
class CandidateSequence {
 public:
  CandidateSequence(const std::vector<FillCandidate>& candidates, Circuits&, const base::Clock&, const FillSettings&);

  const FillCandidate& current() const { return candidates_[position_]; }
  /// The index of current(), from 0. It identifies the candidate within a fill.
  std::size_t number() const { return position_; }
  bool has_next() const {
    return position_ + 1 < candidates_.size() && (last_resort_ || !candidates_[position_ + 1].is_last_resort);
  }
  void next() { ++position_; }
  void restart() { position_ = 0; }

  /// Called when the origin cannot be reached: from now on the last-resort candidates after it are asked as well. False
  /// when there is none, or when they have been asked.
  bool begin_last_resort();
  bool is_last_resort() const { return last_resort_; }

  /// Moves to the first candidate from here whose circuit admits a request. When all circuits are open, this begins the
  /// last resort. False when no circuit admits a request.
  bool skip_open_circuits();
  /// The result of the request to current(), for the circuit that all fills share.
  void answered() { circuits_.succeeded(current().name); }
  void failed(std::string_view why, bool is_unusable = false) {
    circuits_.failed(current().name, current().circuit, clock_.steady_now(), why, is_unusable);
  }
  /// Whether the last failure of current(), or of the origin before it when current() is a node, was an unusable
  /// response and not a missing one.
  bool sent_unusable_response() const;

  /// The delay before all are asked again, doubled each time. Nullopt when the total wait is used up.
  std::optional<std::chrono::milliseconds> next_retry_delay();
  /// Whether a node that itself waits for the origin is asked once more.
  bool waits_for_node() const;
  /// True once per fill.
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
