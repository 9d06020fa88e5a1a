#include "cache_node/filling/candidate_sequence.h"

namespace tribune::cache_node {

CandidateSequence::CandidateSequence(const std::vector<FillCandidate>& places, Circuits& circuits,
                                     const base::Clock& clock, const FillSettings& settings)
    : places_(places),
      circuits_(circuits),
      clock_(clock),
      settings_(settings),
      started_(clock.steady_now()),
      pause_(settings.hold_retry) {}

bool CandidateSequence::begin_last_resort() {
  if (last_resort_ || turn_ + 1 >= places_.size()) return false;
  last_resort_ = true;
  return true;
}

bool CandidateSequence::find_one_to_ask() {
  const auto now = clock_.steady_now();
  while (!circuits_.may_ask(place().name, now)) {
    if (!has_next() && !begin_last_resort()) return false;
    next();
  }
  return true;
}

bool CandidateSequence::answers_badly() const {
  for (auto i = turn_ + 1; i-- > 0;)
    if (!places_[i].is_node()) return circuits_.answers_badly(places_[i].name);
  return circuits_.answers_badly(place().name);
}

std::optional<std::chrono::milliseconds> CandidateSequence::next_pause() {
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
