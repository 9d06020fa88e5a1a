#include "cache_node/filling/candidate_sequence.h"

namespace tribune::cache_node {

CandidateSequence::CandidateSequence(const std::vector<FillCandidate>& candidates, Circuits& circuits,
                                     const base::Clock& clock, const FillSettings& settings)
    : candidates_(candidates),
      circuits_(circuits),
      clock_(clock),
      settings_(settings),
      started_(clock.steady_now()),
      pause_(settings.hold_retry) {}

bool CandidateSequence::begin_last_resort() {
  if (last_resort_ || position_ + 1 >= candidates_.size()) return false;
  last_resort_ = true;
  return true;
}

bool CandidateSequence::skip_open_circuits() {
  const auto now = clock_.steady_now();
  while (!circuits_.may_request(current().name, now)) {
    if (!has_next() && !begin_last_resort()) return false;
    next();
  }
  return true;
}

bool CandidateSequence::sent_unusable_response() const {
  for (auto i = position_ + 1; i-- > 0;)
    if (!candidates_[i].is_node()) return circuits_.sent_unusable_response(candidates_[i].name);
  return circuits_.sent_unusable_response(current().name);
}

std::optional<std::chrono::milliseconds> CandidateSequence::next_retry_delay() {
  const auto pause = pause_;
  if (clock_.steady_now() - started_ + pause > settings_.hold) return std::nullopt;
  pause_ *= 2;
  return pause;
}

bool CandidateSequence::waits_for_node() const {
  const auto& d = settings_.deadlines;
  return clock_.steady_now() - started_ < settings_.hold + 2 * (d.connect + d.first_byte);
}

}  // namespace tribune::cache_node
