#pragma once
// Who came through a waiting room, and how their playlists turned into the programme. The viewer's URL still names the
// ticket, so this is the one thing about a viewer that no token says: it is kept on disk until the viewer is gone.
//
// Lifetime of a turn
//   written    begin(): the viewer still sees the slate, up to the slot of the turn      (request flow)
//   in force   it is on disk: the programme follows                                      (the store's thread)
//   forgotten  nobody asked for kForgetTurnAfter                                         (sweep)
//   given up   as many as may be are known, and this one was not asked for longest       (begin, load; counted)

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

#include "balancer/slate/slate_playlist.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/recent_map.h"
#include "base/sharded.h"
#include "contracts/event.h"
#include "contracts/token.h"
#include "store/store.h"

namespace tribune::balancer {

/// The table of the role's store that SlateTransitions writes.
inline constexpr std::string_view kTurnsTable = "turns";

/// Longer than any session lasts without a request (balancer.session_idle, ended_session_idle) and than any text is
/// held: a viewer who turned anew would see MSNs again that were listed. After a restart it begins anew.
inline constexpr std::chrono::hours kForgetTurnAfter{49};

/// Turns that a book knows at most, some 250 bytes each.
inline constexpr std::size_t kMostTurns = 4'000'000;

/// The slates' time is written down so often.
inline constexpr std::chrono::seconds kNoteTimeEvery{10};

/// How far the slates had come when it was written down, at most kNoteTimeEvery before the end.
struct SlateTime {
  base::WallTime time;
  std::chrono::milliseconds ahead{0};  // of the wall clock
};

/// A viewer's way into the programme.
struct SlateTransitionRecord {
  Turn turn;
  contracts::LinksMode links = contracts::LinksMode::redirect;
  bool operator==(const SlateTransitionRecord&) const = default;
};

std::string to_text(const SlateTransitionRecord&);
std::optional<SlateTransitionRecord> turn_from_text(std::string_view);

/// Any thread; locks inside, held for a look-up.
class SlateTransitions {
 public:
  /// Both outlive it.
  SlateTransitions(const base::Clock&, base::Metrics&, std::size_t most = kMostTurns);

  /// Before the workers run: what a former process wrote. The store must outlive the last begin(); damaged records are
  /// dropped.
  base::Result<std::optional<SlateTime>> load(store::Store&);

  /// `is_in_force`: the programme may be shown.
  struct Found {
    SlateTransitionRecord record;
    bool is_in_force = false;
  };
  std::optional<Found> find(contracts::SessionId);
  /// The first one stands: another rendition's request may have been earlier.
  Found begin(contracts::SessionId, const SlateTransitionRecord&);

  /// Writes down how far the slates' time has come; forgets who is gone, in an eighth of the book at a time. Every few
  /// seconds, by one worker.
  void sweep(const SlateTime&);

  std::size_t size() const;

 private:
  struct Entry {
    SlateTransitionRecord record;
    std::shared_ptr<std::atomic<bool>> saved;
    base::SteadyTime seen{};
  };
  struct Shard {
    mutable std::mutex mutex;
    base::RecentMap<contracts::SessionId, Entry> turns;
  };
  void make_room(Shard&);  // with its mutex held

  const base::Clock& clock_;
  const std::size_t most_in_shard_;
  base::Counter given_up_;
  store::Store* store_ = nullptr;  // null: nothing is kept
  base::Sharded<Shard> shards_;
  static constexpr std::size_t kSweptAtOnce = base::Sharded<Shard>::size() / 8;
  std::optional<base::SteadyTime> noted_;  // touched by sweep() alone, like the next
  std::size_t swept_ = 0;
};

}  // namespace tribune::balancer
