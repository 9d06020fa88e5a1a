#pragma once
// Whether two players watch one session at the same time, from the networks that fetch its live playlist. A player
// fetches each version of the playlist about once, from whichever of its addresses; of two players, each fetches every
// version. docs/sharing.md describes the rule and its error rates.
//
// The time of a session is divided into rounds: a fetch of a version that is newer than all before begins a round.
// States of a network in a session
//   only      the only one: nothing is computed or allocated
//   followed  one of up to kFollowed whose fetches are compared; replaced by a new one when it misses two rounds
//   ignored   there is no place to follow it
//   refused   used by a second player (SharingRule::refuse), until no other network was served for `handover`

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "access/session_networks.h"
#include "base/clock.h"

namespace tribune::access {

struct ConcurrencyRule {
  SharingRule action = SharingRule::refuse;
  std::chrono::milliseconds handover{std::chrono::minutes{2}};  // a viewer may use two networks at once for this time
};

/// Owned by its session, under whose lock it is used. 16 bytes while there is one network, about 450 while there are
/// more.
class ConcurrentViewing {
 public:
  struct Verdict {
    bool is_refused = false;  // do not serve the fetch
    bool is_found = false;    // two players watch the session; at most once in `handover`
  };
  /// Records a fetch of a live media playlist of a variant stream. `network`: a hash, not 0. `version` grows with the
  /// playlist, such as the media sequence number after the last segment.
  Verdict record(std::uint32_t network, std::uint64_t version, base::SteadyTime now, const ConcurrencyRule&);
  /// Whether record() would refuse a fetch.
  bool is_refused(std::uint32_t network, base::SteadyTime now, const ConcurrencyRule&);

  /// The score of a network at which a second player is found. It grows by one in each round in which this network and
  /// another one fetched the playlist as two players do.
  static constexpr int kEnoughRounds = 24;
  /// The score falls by this in a round of two or more fetches that may be those of one player.
  static constexpr int kMissedRound = 1;
  /// The score falls by this in a round without one of the two networks, if the round before had only one too.
  static constexpr int kAbsence = 3;
  static constexpr std::size_t kFollowed = 4;
  static constexpr std::size_t kMostRefused = 16;

 private:
  using Milliseconds = std::chrono::milliseconds;

  struct Followed {
    std::uint32_t network = 0;  // 0: free
    std::uint8_t score = 0;
    std::uint8_t absent = 0;      // successive rounds without its fetch
    std::uint8_t alone = 0;       // successive rounds with one fetch, which was its own
    std::uint32_t fetches = 0;    // in this round
    Milliseconds first{};         // fetch
    Milliseconds last{};          // fetch
    Milliseconds scored_since{};  // the score is positive since then
    Milliseconds own_interval{};  // about the shortest time between two of its fetches in succession; 0: not known
    std::uint64_t newest = 0;     // version; 0: none is recorded
  };
  struct Round {
    std::uint64_t newest = 0;  // version
    Milliseconds began{};
    std::uint32_t fetches = 0;  // of followed networks
    std::uint32_t changes = 0;  // of the network between successive fetches
    std::uint8_t present = 0;   // bit i: networks[i] fetched
    bool is_repeated = false;   // a network fetched what another one had fetched, for the first time itself
    bool is_retried = false;    // a network fetched the same version again, sooner than it polls
    Milliseconds shortest_own = Milliseconds::max();     // between two fetches of one network in succession
    Milliseconds shortest_change = Milliseconds::max();  // between successive fetches of different networks
  };
  struct State {
    std::array<Followed, kFollowed> networks{};
    Round round{};
    std::uint32_t last_network = 0;
    Milliseconds last_fetch{};
    Milliseconds last_served{};  // fetch of a network that is not refused
    Milliseconds reported = Milliseconds::min();
    std::vector<std::uint32_t> refused{};  // in the order in which they were found

    Followed* follow(std::uint32_t network, Milliseconds now);
    void count(Followed&, std::uint64_t version, Milliseconds now);
    void measure(Followed&, Milliseconds interval, std::uint64_t version);
    void begin_round(std::uint64_t version, Milliseconds now);
    void rate(std::size_t index);
    bool is_close(const Followed&) const;
    bool is_alternating(const Followed&) const;
    bool is_second_player(const Followed&, const ConcurrencyRule&) const;
    void refuse_later_ones(const ConcurrencyRule&);
    void refuse(Followed&);
    Verdict end_round(std::uint32_t network, Milliseconds now, const ConcurrencyRule&);
    bool is_refused(std::uint32_t network, Milliseconds now, const ConcurrencyRule&);
    const Followed* only_active(Milliseconds now, Milliseconds handover) const;
  };

  std::uint32_t first_network_ = 0;
  std::uint32_t first_second_ = 0;  // of the steady clock: its first fetch
  std::unique_ptr<State> state_;    // null: there is one network
};

}  // namespace tribune::access
