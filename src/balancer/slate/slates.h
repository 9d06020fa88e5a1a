#pragma once
// The slates of all channels, and their rendered playlists: all waiting viewers share one text, and all viewers with
// equal transitions share another.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "balancer/slate/slate.h"
#include "balancer/slate/slate_playlist.h"
#include "balancer/slate/slate_transitions.h"
#include "balancer/sources/rendered_playlists.h"
#include "balancer/sources/source_snapshot.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "contracts/event.h"
#include "hls/limits.h"

namespace tribune::balancer {

/// Any thread; locks only in the cache of rendered texts. Slates are loaded once, because a change of slots could
/// decrease the numbers that waiting viewers see.
class Slates {
 public:
  /// The first three outlive it.
  Slates(const base::Clock&, base::Log&, base::Metrics&, std::shared_ptr<RenderedPlaylists>);

  /// Reads the slate of each channel that has one in the folder, before the workers run, and logs the result. A channel
  /// whose slate is unusable has none. An empty folder name: no slates.
  void load(const std::string& folder, const contracts::Event&);

  /// Null for a channel without a slate.
  const Slate* find(std::string_view channel) const;

  /// The time of the slots: the wall clock, as on other balancers, but it never decreases. Only slates use it.
  base::WallTime now() const;
  /// How far now() is ahead of a wall clock that was set back.
  std::chrono::milliseconds ahead() const;
  /// Makes now() no earlier than any time that a former process may have shown. Call it before the workers run.
  void continue_from(const SlateTime&);
  /// The current slot.
  std::int64_t slot(const Slate& slate) const { return slot_at(slate.slot(), now()); }

  /// Whether a playlist lists the slot, or listed it shortly before, also before a step of the clock.
  bool is_listed(const Slate&, std::int64_t slot) const;

  /// The playlist of waiting viewers, up to the slot before `end`.
  std::shared_ptr<const Rendered> waiting_playlist(const Slate&, const SlateRendition&, std::int64_t end) const;
  /// The playlist of a viewer after a transition. `programme` is the playlist of a viewer without one. Errors: those of
  /// text_after_transition().
  base::Result<std::shared_ptr<const Rendered>> playlist_after_transition(const Slate*, const SlateRendition*,
                                                                          const SlateTransition&,
                                                                          const Rendered& programme,
                                                                          const hls::Limits&) const;

 private:
  std::shared_ptr<const Rendered> cached(const std::string& key, const std::function<std::string()>& make) const;

  const base::Clock& clock_;
  base::Log& log_;
  mutable base::Counter renders_;
  std::map<std::string, std::shared_ptr<const Slate>, std::less<>> slates_;  // written before the workers run
  mutable std::atomic<std::chrono::nanoseconds>
      lead_;  // how far now() is ahead of the steady clock; grows when the wall clock is set forward
  mutable std::atomic<std::chrono::nanoseconds> former_lead_;  // before the last step
  std::shared_ptr<RenderedPlaylists> texts_;
  std::uint64_t owner_;  // of its entries in texts_
};

}  // namespace tribune::balancer
