#pragma once
// The slates of all channels, and the playlists that were rendered from them lately: all who wait share one text, all
// who turned in the same way another.

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

/// Any thread; no lock but that of the texts. Loaded once: a slate whose slots changed under those who wait
/// would take their numbers back.
class Slates {
 public:
  /// The first three outlive it.
  Slates(const base::Clock&, base::Log&, base::Metrics&, std::shared_ptr<RenderedPlaylists>);

  /// Before the workers run: reads the slate of each channel that has one in the folder, and says in the log what it
  /// found. A channel whose slate cannot be used has none. An empty folder name: no slates.
  void load(const std::string& folder, const contracts::Event&);

  /// Null for a channel without.
  const Slate* find(std::string_view channel) const;

  /// The time by which slots are counted: the wall clock's, as other balancers have it, but it never goes back. Nothing
  /// else goes by it.
  base::WallTime now() const;
  /// By how much now() leads the wall clock, which was set back.
  std::chrono::milliseconds ahead() const;
  /// Before the workers run: now() does not lie before what a former process had shown.
  void continue_from(const SlateTime&);
  /// The slot of this moment.
  std::int64_t slot(const Slate& slate) const { return slot_at(slate.slot(), now()); }

  /// Whether a playlist lists the slot, or did lately, also before a step of the clock.
  bool is_listed(const Slate&, std::int64_t slot) const;

  /// The playlist of those who wait, listed up to the slot before `end`.
  std::shared_ptr<const Rendered> waiting(const Slate&, const SlateRendition&, std::int64_t end) const;
  /// The playlist of who turned. `programme` is what a viewer gets who did not wait. Errors: as turned_text().
  base::Result<std::shared_ptr<const Rendered>> turned(const Slate*, const SlateRendition*, const Turn&,
                                                       const Rendered& programme, const hls::Limits&) const;

 private:
  std::shared_ptr<const Rendered> kept(const std::string& key, const std::function<std::string()>& make) const;

  const base::Clock& clock_;
  base::Log& log_;
  mutable base::Counter renders_;
  std::map<std::string, std::shared_ptr<const Slate>, std::less<>> slates_;  // written before the workers run
  mutable std::atomic<std::chrono::nanoseconds>
      lead_;  // of now() before the steady clock; grows when the wall clock is set forward
  mutable std::atomic<std::chrono::nanoseconds> former_lead_;  // before the last step
  std::shared_ptr<RenderedPlaylists> texts_;
  std::uint64_t owner_;  // there
};

}  // namespace tribune::balancer
