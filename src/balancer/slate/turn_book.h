#pragma once
// Who came through a waiting room, and how their playlists turned into the programme. The viewer's URL still names the ticket, so
// this is the one thing about a viewer that no token says: it is kept on disk until the viewer is gone.
//
// Lifetime of a turn
//   written    begin(): the viewer still sees the slate, up to the slot of the turn      (request flow)
//   in force   it is on disk: the programme follows                                      (the store's thread)
//   forgotten  nobody asked for kForgetTurnAfter                                         (sweep)

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "balancer/slate/slate_playlist.h"
#include "base/clock.h"
#include "contracts/event.h"
#include "contracts/token.h"
#include "store/store.h"

namespace tribune::balancer {

/// The table of the role's store that TurnBook writes.
inline constexpr std::string_view kTurnsTable = "turns";

inline constexpr std::chrono::minutes kForgetTurnAfter{10};
/// The slates' time is written down so often.
inline constexpr std::chrono::seconds kNoteTimeEvery{10};

/// How far the slates had come when it was written down, at most kNoteTimeEvery before the end.
struct SlateTime {
  base::WallTime time;
  std::chrono::milliseconds ahead{0};   // of the wall clock
};

/// A viewer's way into the programme.
struct TurnRecord {
  Turn turn;
  contracts::LinksMode links = contracts::LinksMode::redirect;
  bool operator==(const TurnRecord&) const = default;
};

std::string to_text(const TurnRecord&);
std::optional<TurnRecord> turn_from_text(std::string_view);

/// Any thread; locks inside, held for a look-up.
class TurnBook {
 public:
  explicit TurnBook(const base::Clock& clock) : clock_(clock) {}

  /// Before the workers run: what a former process wrote. The store must outlive the last begin(); damaged records are dropped.
  base::Result<std::optional<SlateTime>> load(store::Store&);

  /// `is_in_force`: the programme may be shown.
  struct Found {
    TurnRecord record;
    bool is_in_force = false;
  };
  std::optional<Found> find(contracts::SessionId);
  /// The first one stands: another rendition's request may have been earlier.
  Found begin(contracts::SessionId, const TurnRecord&);

  /// Writes down how far the slates' time has come; forgets who is gone. Every few seconds, by one worker.
  void sweep(const SlateTime&);

  std::size_t size() const;

 private:
  struct Entry {
    TurnRecord record;
    std::shared_ptr<std::atomic<bool>> saved;
    base::SteadyTime seen{};
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<contracts::SessionId, Entry> turns;
  };
  static constexpr std::size_t kShards = 64;
  Shard& shard_of(contracts::SessionId id) { return shards_[(id * 0x9e3779b97f4a7c15ull) >> 58]; }

  const base::Clock& clock_;
  store::Store* store_ = nullptr;    // null: nothing is kept
  std::array<Shard, kShards> shards_;
  std::optional<base::SteadyTime> noted_;   // touched by sweep() alone
};

}  // namespace tribune::balancer
