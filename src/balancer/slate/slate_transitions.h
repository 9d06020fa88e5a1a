#pragma once
// The viewers that came through a waiting room, and the transitions of their playlists from the slate to the programme.
// Such a viewer's URL still names the ticket, and no token carries the transition, so it is kept on disk until the
// viewer is gone.
//
// Lifetime of a transition
//   saving     begin(): the viewer sees the slate, up to the slot of the transition         (request flow)
//   in force   it is on disk: the programme follows                                         (the store's thread)
//   forgotten  not requested for kTransitionLifetime                                        (sweep)
//   evicted    the bound is reached, and it is the least recently used; counted             (begin, load)

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
inline constexpr std::string_view kTransitionsTable = "turns";

/// A transition is kept longer than any session lasts without a request (balancer.session_idle, ended_session_idle),
/// and than any playlist is used: a second transition would list MSNs again. After a restart the time is measured from
/// the restart on.
inline constexpr std::chrono::hours kTransitionLifetime{49};

/// The default bound. A transition needs about 250 bytes.
inline constexpr std::size_t kMaxTransitions = 4'000'000;

/// The period in which the slates' time is saved.
inline constexpr std::chrono::seconds kSlateTimeSavePeriod{10};

/// The time of the slates when it was saved, at most kSlateTimeSavePeriod before the process ended.
struct SlateTime {
  base::WallTime time;
  std::chrono::milliseconds ahead{0};  // how far it was ahead of the wall clock
};

/// A transition as it is saved.
struct SlateTransitionRecord {
  SlateTransition transition;
  contracts::LinksMode links = contracts::LinksMode::redirect;
  bool operator==(const SlateTransitionRecord&) const = default;
};

std::string to_text(const SlateTransitionRecord&);
std::optional<SlateTransitionRecord> transition_from_text(std::string_view);

/// Any thread; locks inside, held for a lookup.
class SlateTransitions {
 public:
  /// Both outlive it.
  SlateTransitions(const base::Clock&, base::Metrics&, std::size_t most = kMaxTransitions);

  /// Loads the records of a former process, before the workers run. The store must outlive the last begin(). Damaged
  /// records are removed.
  base::Result<std::optional<SlateTime>> load(store::Store&);

  /// `is_in_force`: the programme may be listed.
  struct Found {
    SlateTransitionRecord record;
    bool is_in_force = false;
  };
  std::optional<Found> find(contracts::SessionId);
  /// Returns the existing transition if there is one, because another rendition's request may have been first.
  Found begin(contracts::SessionId, const SlateTransitionRecord&);

  /// Saves the slates' time, and removes expired transitions, in an eighth of the shards per call. Call it every few
  /// seconds on one worker.
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
    base::RecentMap<contracts::SessionId, Entry> transitions;
  };
  void evict_oldest(Shard&);  // with its mutex held

  const base::Clock& clock_;
  const std::size_t max_in_shard_;
  base::Counter evicted_;
  store::Store* store_ = nullptr;  // null: nothing is saved
  base::Sharded<Shard> shards_;
  static constexpr std::size_t kSweptAtOnce = base::Sharded<Shard>::size() / 8;
  std::optional<base::SteadyTime> time_saved_at_;  // used by sweep() only, as is the next
  std::size_t swept_ = 0;
};

}  // namespace tribune::balancer
