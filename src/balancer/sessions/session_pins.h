#pragma once
// The pins of every session with direct links: the node that serves it from an MSN on. What was listed to a session
// keeps its text (docs/routing.md).
//
// Lifetime of a pin
//   set        another node was chosen: from the first MSN not yet listed to this session       (pin)
//   replaced   its node failed, and the player accepts a rewritten listed segment               (pin)
//   dropped    every playlist of the session has passed it                                      (pin)
// Lifetime of a session's pins
//   begun      the session was opened here                                                      (begin)
//   in use     while the session lasts
//   held       the session has lapsed: as long as its player may use the playlist               (lapse)
//   released   the session was ended, or the hold is over                                       (release, sweep)
//   evicted    the bound is reached, and these are the least recently used; counted             (evict_oldest)
//   restored   after a restart: held, for the time in the record                                (load)
//   recreated  in another process, or without records: one pin at the node that the session's token names, if that
//              node is available                                                                (pin)

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/sessions.h"
#include "balancer/nodes/node_table.h"
#include "balancer/sources/source_snapshot.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/recent_map.h"
#include "base/sharded.h"
#include "store/store.h"
#include "store/unsaved_records.h"

namespace tribune::balancer {

/// Pathways of one session that have pins.
inline constexpr std::size_t kMaxPinnedPathways = 8;

/// From `first_msn` on, that node serves this session's segments; null: the node that is chosen for each request, by
/// redirect links. The first pin of a session also covers everything before it.
struct Pin {
  std::int64_t first_msn = 0;
  std::shared_ptr<const NodeAddress> node;
};

/// Bounds of the time that the pins of a lapsed session are held, whatever the length of its playlist.
inline constexpr std::chrono::minutes kMinPinHold{1};
inline constexpr std::chrono::hours kMaxPinHold{48};

/// The MSNs [first_msn, next_msn) of one playlist. `held`: how long a player that sends no further request may use it.
struct Window {
  std::int64_t first_msn = 0;
  std::int64_t next_msn = 0;
  std::chrono::milliseconds held{kMinPinHold};
};

/// Pins of one session. The last one is reserved for a pin without node: after that many node changes in one window,
/// further segments have redirect links until the window has passed some pins. What was listed therefore keeps its
/// text.
inline constexpr std::size_t kMaxPins = 64;

/// MSNs by which the renditions of a channel may trail each other. A pin is kept until all have passed it.
inline constexpr std::int64_t kRenditionLag = 16;

/// The table of the role's store that SessionPins writes.
inline constexpr std::string_view kPinsTable = "pins";

/// The default bound on sessions and pathways. Beyond it the least recently used are evicted.
inline constexpr std::size_t kMaxPinned = 4'000'000;

/// A session that sent no request for this time has ended.
inline constexpr std::chrono::hours kPinsIdleLifetime{49};

/// The record of a session: "2 {seconds held} c:{preferred} [{msn} {node} {url}]…", with "- -" for a pin without node.
/// "1 c:…" of a former version has no time.
struct PinRecord {
  std::string preferred;
  std::vector<Pin> pins;
  std::chrono::seconds held{600};
};
std::string to_text(const PinRecord&);
std::optional<PinRecord> pins_from_text(std::string_view);

/// Any thread; locks inside.
class SessionPins {
 public:
  /// Both outlive it.
  SessionPins(const base::Clock&, base::Metrics&, std::size_t most = kMaxPinned);

  /// Loads the records of a former process, before the workers run. Later changes are written behind. The store
  /// outlives the last call; without load() nothing is saved. Damaged records are removed.
  base::Status load(store::Store&);

  /// Pins this session for the window that it is about to see, and returns the pins of that window in a canonical form,
  /// which is equal for all viewers with the same text: the first pin from MSN 0, none beyond the window. `chosen`
  /// serves what is not listed yet. `accepts_rewriting`: the player accepts another URI for a listed segment whose node
  /// has failed (media3, VHS). `pathway`: a playlist below a pathway is another playlist, with its own pins; empty: no
  /// pathway. It must name a group that exists, or the origin; a session has at most kMaxPinnedPathways, and further
  /// ones share the pins without pathway. `first`: the node that was selected when the session was opened. A session
  /// that this process did not open, and that has no record, is assumed to have been served by that node, unless it is
  /// gone.
  LinkPins pin(access::SessionId, const Window&, const NodeTable&, const std::shared_ptr<const NodeAddress>& chosen,
               bool accepts_rewriting, std::string_view pathway = {},
               const std::shared_ptr<const NodeAddress>& first = nullptr);

  /// Marks the session as opened by this process, so that nothing was listed to it before.
  void begin(access::SessionId);
  /// Remembers the node that the client named, to the end of the session.
  void prefer(access::SessionId, std::string_view node);
  /// The node that the client named; empty when it named none.
  std::string preferred(access::SessionId);
  /// The node of the last pin with a node; empty when there is none.
  std::string last_node(access::SessionId, std::string_view pathway = {});

  /// Removes everything of a session that was ended.
  void release(access::SessionId);
  /// Marks the session as lapsed. It may return while its player uses the playlist.
  void lapse(access::SessionId);
  /// Removes expired pins, in an eighth of the shards per call. Call it every few seconds on one worker.
  void sweep();
  std::size_t size() const;
  /// Changes that are not on disk yet: each for about 50 ms, or as long as the disk is full. A process that is killed
  /// loses them.
  std::int64_t unsaved() const { return unsaved_->size(); }

 private:
  struct Pinned {
    std::vector<Pin> pins;
    std::int64_t listed_to = 0;  // the first MSN that no rendition has shown to this session
    std::int64_t longest = 0;    // MSNs in the longest of its playlists, which may differ in length
    base::SteadyTime held_until{};
    std::chrono::seconds held_written{0};
    std::string preferred;
    bool is_restored = false;  // listed_to and longest are not known yet
    bool is_written = false;
    bool is_of_pathway = false;
    bool was_opened_here = false;
    bool has_lapsed = false;
    std::vector<access::SessionId> pathways;  // the keys of this session's other pins
  };
  struct Shard {
    mutable std::mutex mutex;
    base::RecentMap<access::SessionId, Pinned> sessions;
  };
  void forget(access::SessionId);
  struct PinKey {
    access::SessionId id;
    bool was_opened_here;
  };
  PinKey key_of(access::SessionId, std::string_view pathway);
  std::vector<access::SessionId> pathways_of(access::SessionId);
  Pinned& find_or_add(Shard&, access::SessionId);  // with the shard's mutex held, like the next three
  void hold(Shard&, access::SessionId, const PinRecord&);
  void evict_oldest(Shard&);
  void write(access::SessionId, Pinned&, std::chrono::seconds held);
  void write_failed();

  const base::Clock& clock_;
  const std::size_t max_in_shard_;
  base::Counter evicted_, full_;
  base::Sharded<Shard> shards_;
  static constexpr std::size_t kSweptAtOnce = base::Sharded<Shard>::size() / 8;
  std::size_t swept_ = 0;  // used by sweep() only
  store::Store* store_ = nullptr;
  // Also used by the store's thread, which may outlive this object.
  const std::shared_ptr<store::UnsavedRecords> unsaved_ = std::make_shared<store::UnsavedRecords>();
};

}  // namespace tribune::balancer
