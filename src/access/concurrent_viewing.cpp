#include "access/concurrent_viewing.h"

#include <algorithm>

namespace tribune::access {
namespace {

constexpr int kAbsentRounds = 2;  // a player that fetches less often than the playlist grows misses one, never two

std::chrono::milliseconds milliseconds_of(base::SteadyTime time) {
  return std::chrono::floor<std::chrono::milliseconds>(time).time_since_epoch();
}

void count_up(std::uint8_t& rounds) {
  if (rounds < std::numeric_limits<std::uint8_t>::max()) ++rounds;
}

std::uint8_t lowered(std::uint8_t score, int by) { return static_cast<std::uint8_t>(std::max(0, score - by)); }

}  // namespace

ConcurrentViewing::Verdict ConcurrentViewing::record(std::uint32_t network, std::uint64_t version,
                                                     base::SteadyTime steady_now, const ConcurrencyRule& rule) {
  if (!state_ && (first_network_ == network || first_network_ == 0)) {
    if (first_network_ == 0) first_second_ = static_cast<std::uint32_t>(second_of(steady_now));
    first_network_ = network;
    return {};
  }
  const auto now = milliseconds_of(steady_now);
  if (!state_) {
    state_ = std::make_unique<State>();
    state_->networks[0] = {.network = first_network_, .first = std::chrono::seconds{first_second_}, .last = now};
    state_->round.began = now;
  }
  auto& state = *state_;
  if (state.is_refused(network, now, rule)) return {.is_refused = true};
  state.last_served = now;
  Verdict verdict;
  version = std::max<std::uint64_t>(version, 1);
  if (version > state.round.newest) {
    verdict = state.end_round(network, now, rule);
    state.begin_round(version, now);
    if (verdict.is_refused) return verdict;
  } else if (now - state.round.began >= rule.handover) {
    state.begin_round(version, now);  // the numbering began again
    for (auto& followed : state.networks) followed.newest = 0;
  }
  if (auto* followed = state.follow(network, now)) state.count(*followed, version, now);
  if (const auto* only = state.only_active(now, rule.handover)) {
    first_network_ = only->network;
    first_second_ = static_cast<std::uint32_t>(std::chrono::floor<std::chrono::seconds>(only->first).count());
    state_.reset();
  }
  return verdict;
}

bool ConcurrentViewing::is_refused(std::uint32_t network, base::SteadyTime now, const ConcurrencyRule& rule) {
  return state_ && state_->is_refused(network, milliseconds_of(now), rule);
}

bool ConcurrentViewing::State::is_refused(std::uint32_t network, Milliseconds now, const ConcurrencyRule& rule) {
  if (refused.empty()) return false;
  if (rule.action != SharingRule::refuse || now - last_served >= rule.handover) refused.clear();
  return std::find(refused.begin(), refused.end(), network) != refused.end();
}

ConcurrentViewing::Followed* ConcurrentViewing::State::follow(std::uint32_t network, Milliseconds now) {
  Followed* place = nullptr;
  for (auto& followed : networks) {
    if (followed.network == network) return &followed;
    if (place && place->network == 0) continue;
    if (followed.network == 0 || (followed.absent >= kAbsentRounds && (!place || followed.absent > place->absent)))
      place = &followed;
  }
  if (place) *place = {.network = network, .first = now, .last = now};
  return place;
}

void ConcurrentViewing::State::count(Followed& followed, std::uint64_t version, Milliseconds now) {
  if (followed.newest != 0) measure(followed, now - followed.last, version);
  const auto bit = static_cast<std::uint8_t>(1U << static_cast<unsigned>(&followed - networks.data()));
  if (version > followed.newest && (round.present | bit) != bit) round.is_repeated = true;
  if (last_network != 0 && last_network != followed.network) {
    ++round.changes;
    round.shortest_change = std::min(round.shortest_change, now - last_fetch);
  }
  last_network = followed.network;
  last_fetch = now;
  ++round.fetches;
  ++followed.fetches;
  round.present |= bit;
  followed.last = now;
  followed.newest = std::max(followed.newest, version);
}

void ConcurrentViewing::State::measure(Followed& followed, Milliseconds interval, std::uint64_t version) {
  auto& own = followed.own_interval;
  if (interval < own / 4) {  // a retry or a change of the bitrate, unless it is repeated
    own -= own / 4;
    if (version <= followed.newest) round.is_retried = true;
    return;
  }
  own = std::max(Milliseconds{1}, own == Milliseconds{} || interval < own ? interval : own + (interval - own) / 16);
  round.shortest_own = std::min(round.shortest_own, interval);
}

void ConcurrentViewing::State::begin_round(std::uint64_t version, Milliseconds now) {
  round = {.newest = version, .began = now};
  for (auto& followed : networks) followed.fetches = 0;
}

ConcurrentViewing::Verdict ConcurrentViewing::State::end_round(std::uint32_t network, Milliseconds now,
                                                               const ConcurrencyRule& rule) {
  for (std::size_t i = 0; i < networks.size(); ++i)
    if (networks[i].network != 0) rate(i);
  const auto is_second = [&](const Followed& followed) { return is_second_player(followed, rule); };
  if (std::none_of(networks.begin(), networks.end(), is_second)) return {};
  if (rule.action == SharingRule::refuse) refuse_later_ones(rule);
  for (auto& followed : networks) followed.score = 0;
  Verdict verdict{.is_refused = is_refused(network, now, rule)};
  verdict.is_found = reported == Milliseconds::min() || now - reported >= rule.handover;
  if (verdict.is_found) reported = now;
  return verdict;
}

void ConcurrentViewing::State::rate(std::size_t index) {
  auto& rated = networks[index];
  const unsigned bit = 1U << index;
  const bool is_present = (round.present & bit) != 0;
  if (is_present && round.present != bit) {
    rated.absent = rated.alone = 0;
    if (!round.is_repeated) return;
    if (!is_close(rated) || !is_alternating(rated)) {
      rated.score = lowered(rated.score, kMissedRound);
      return;
    }
    if (rated.score == 0) rated.scored_since = round.began;
    if (rated.score < kEnoughRounds) ++rated.score;
    return;
  }
  if (is_present) {
    rated.absent = 0;
    count_up(rated.alone);
  } else {
    rated.alone = 0;
    count_up(rated.absent);
  }
  if (std::max(rated.alone, rated.absent) >= kAbsentRounds) {
    rated.score = lowered(rated.score, kAbsence);
  } else if (round.fetches >= 2) {
    rated.score = lowered(rated.score, kMissedRound);
  }
}

// WHY: one player that changes its address fetches in its own interval.
bool ConcurrentViewing::State::is_close(const Followed& rated) const {
  auto shortest = std::min(rated.own_interval, round.shortest_own);
  for (std::size_t i = 0; i < networks.size(); ++i) {
    const auto own = networks[i].own_interval;
    if ((round.present & (1U << i)) != 0 && own > Milliseconds{}) shortest = std::min(shortest, own);
  }
  return round.shortest_change < shortest * 3 / 4;
}

// WHY: one player that lost its request with the former network repeats it at once, and stays in the new one. Of two
// players, the one that fetches less often never fetches twice in succession.
bool ConcurrentViewing::State::is_alternating(const Followed& rated) const {
  const auto fewer = std::min(rated.fetches, round.fetches - rated.fetches);
  return !round.is_retried && 2 * round.changes >= 3 * fewer;
}

bool ConcurrentViewing::State::is_second_player(const Followed& followed, const ConcurrencyRule& rule) const {
  return followed.network != 0 && followed.score >= kEnoughRounds &&
         last_served - followed.scored_since >= rule.handover;
}

void ConcurrentViewing::State::refuse_later_ones(const ConcurrencyRule& rule) {
  const auto is_active = [](const Followed& one) { return one.network != 0 && one.absent < kAbsentRounds; };
  const Followed* earliest = nullptr;
  for (const auto& followed : networks)
    if (is_active(followed) && (!earliest || followed.first < earliest->first)) earliest = &followed;
  const bool is_earliest_rated = earliest && is_second_player(*earliest, rule);
  bool is_any_refused = false;
  for (auto& followed : networks) {
    const bool is_later = &followed != earliest && followed.score >= kEnoughRounds / 2;
    if (!is_active(followed) || !is_later) continue;
    refuse(followed);
    is_any_refused = true;
  }
  if (is_any_refused || !is_earliest_rated) return;
  // The second player changes its address: each of the present ones.
  for (auto& followed : networks)
    if (is_active(followed) && &followed != earliest) refuse(followed);
}

void ConcurrentViewing::State::refuse(Followed& followed) {
  if (refused.size() == kMostRefused) refused.erase(refused.begin());
  refused.push_back(followed.network);
  followed = {};
}

const ConcurrentViewing::Followed* ConcurrentViewing::State::only_active(Milliseconds now,
                                                                         Milliseconds handover) const {
  if (!refused.empty()) return nullptr;
  const Followed* only = nullptr;
  for (const auto& followed : networks) {
    if (followed.network == 0 || now - followed.last >= handover) continue;
    if (only) return nullptr;
    only = &followed;
  }
  return only;
}

}  // namespace tribune::access
