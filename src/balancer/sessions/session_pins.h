#pragma once
// The pins of every session that gets direct links: which node serves it from which MSN on. What was listed to a
// session once keeps its text (DESIGN, "Why pins").
//
// Lifetime of a pin
//   set        another node was chosen: from the first MSN not yet listed to this session    (pin)
//   replaced   its node died, and the player takes a rewritten listed segment                (pin)
//   dropped    every playlist of the session has left it behind                              (pin)
// Lifetime of a session's pins
//   begun      the session was opened here                                                   (begin)
//   in use     while the session lasts
//   held       the session has lapsed: as long as its player may still hold the text         (lapse)
//   released   the session was ended, or the text is not held any more                       (release, sweep)
//   given up   as many as may be are known, and these were not used for longest              (make_room; counted)
//   restored   the process began anew: held, as what it wrote down says                      (load)
//   recreated  another process, or one without its files: one pin at the node that the session's token names, if it is
//   there   (pin)

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
#include <vector>

#include "access/sessions.h"
#include "balancer/nodes/node_table.h"
#include "balancer/sources/source_snapshot.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/recent_map.h"
#include "base/sharded.h"
#include "store/store.h"

namespace tribune::balancer {

/// Pathways of one session that have pins.
inline constexpr std::size_t kMostPinnedPathways = 8;

/// From `first_msn` on, this session's segments come from that node; null: from the node of the moment, by redirect
/// links. The first pin of a session covers all before it, too.
struct Pin {
  std::int64_t first_msn = 0;
  std::shared_ptr<const NodeAddress> node;
};

/// How long the pins of a session that has lapsed are held at least and at most, whatever its playlist's length.
inline constexpr std::chrono::minutes kHoldPinsAtLeast{1};
inline constexpr std::chrono::hours kHoldPinsAtMost{48};

/// What one playlist lists: MSNs in [first_msn, next_msn). `held`: how long a player that does not ask again may use
/// it.
struct Window {
  std::int64_t first_msn = 0;
  std::int64_t next_msn = 0;
  std::chrono::milliseconds held{kHoldPinsAtLeast};
};

/// Pins of one session. The last place is kept for one without node: after so many node changes in one window its
/// further segments have redirect links, until the window has left some behind. So what was listed keeps its text.
inline constexpr std::size_t kMaxPins = 64;

/// MSNs by which the renditions of a channel may trail each other: a pin is kept until all have passed it.
inline constexpr std::int64_t kRenditionLag = 16;

/// The table of the role's store that SessionPins writes.
inline constexpr std::string_view kPinsTable = "pins";

/// Sessions and pathways that a board knows at most; with more, those that were not used for longest are given up.
inline constexpr std::size_t kMostPinned = 4'000'000;

/// Nobody who is gone for so long is known to last.
inline constexpr std::chrono::hours kForgetPinsAfter{49};

/// What is written down of a session: "2 {seconds held} c:{preferred} [{msn} {node} {url}]…", or "- -" for a pin
/// without node. "1 c:…" of a former version does not say how long.
struct PinRecord {
  std::string preferred;
  std::vector<Pin> pins;
  std::chrono::seconds held{600};
};
std::string to_text(const PinRecord&);
std::optional<PinRecord> pins_from_text(std::string_view);

/// Any thread; locks inside, for one session's few pins.
class SessionPins {
 public:
  /// Both outlive it.
  SessionPins(const base::Clock&, base::Metrics&, std::size_t most = kMostPinned);

  /// Before the workers run: what a former process wrote. From then on changes are written behind. The store outlives
  /// the last call of the others; without load() nothing is kept. Damaged records are dropped.
  base::Status load(store::Store&);

  /// Pins this session for the window that it is about to see, and returns the pins that matter there, in the form that
  /// is equal for all viewers who see the same text: the first one from MSN 0, none beyond the window. `chosen` serves
  /// what is not listed yet. `takes_rewriting`: the player bears another URI for a listed segment whose node is gone
  /// (media3, VHS). `pathway`: the playlist is another one under each pathway, and has pins of its own; empty: under
  /// none. It must name a group that exists, or the origin; a session has kMostPinnedPathways of them, and further ones
  /// share the pins of none. `first`: the node that the session was sent to at its opening; whatever was listed to a
  /// session that this process did not open, and of which nothing was written down, is taken to have come from there,
  /// unless nobody answers there now.
  LinkPins pin(access::SessionId, const Window&, const NodeTable&, const std::shared_ptr<const NodeAddress>& chosen,
               bool takes_rewriting, std::string_view pathway = {},
               const std::shared_ptr<const NodeAddress>& first = nullptr);

  /// The session is opened here: nothing was listed to it.
  void begin(access::SessionId);
  /// Remembers the cache that the client named; kept to the end of the session.
  void prefer(access::SessionId, std::string_view node);
  /// Empty when the client named none.
  std::string preferred(access::SessionId);
  /// The node of the last pin that has one; empty when there is none.
  std::string last_node(access::SessionId, std::string_view pathway = {});

  /// The session was ended: nothing of it is needed.
  void release(access::SessionId);
  /// The session has lapsed, and may come back while its player holds what was listed.
  void lapse(access::SessionId);
  /// Forgets what nobody holds any more: an eighth of the board at a time. Every few seconds, by one worker.
  void sweep();
  std::size_t size() const;
  /// Changes on their way to the disk: some 50 ms each. A process that is killed before forgets them.
  std::int64_t unsaved() const { return unsaved_->load(); }

 private:
  struct Pinned {
    std::vector<Pin> pins;
    std::int64_t listed_to = 0;  // the first MSN that no rendition has shown to this session
    std::int64_t longest = 0;    // MSNs in the longest of its playlists: they need not be equally long
    base::SteadyTime held_until{};
    std::chrono::seconds held_written{0};
    std::string preferred;
    bool is_restored = false;  // listed_to and longest are not known yet
    bool is_written = false;
    bool is_of_pathway = false;
    bool was_opened_here = false;
    bool has_lapsed = false;
    std::vector<access::SessionId> pathways;  // where this session's other pins are
  };
  struct Shard {
    mutable std::mutex mutex;
    base::RecentMap<access::SessionId, Pinned> sessions;
  };
  void forget(access::SessionId);
  struct Place {
    access::SessionId id;
    bool was_opened_here;
  };
  Place place_of(access::SessionId, std::string_view pathway);
  std::vector<access::SessionId> pathways_of(access::SessionId);
  Pinned& find_or_add(Shard&, access::SessionId);  // with the shard's mutex held, like the next three
  void hold(Shard&, access::SessionId, const PinRecord&);
  void make_room(Shard&);
  void write(access::SessionId, Pinned&, std::chrono::seconds held);

  const base::Clock& clock_;
  const std::size_t most_in_shard_;
  base::Counter given_up_, full_;
  base::Sharded<Shard> shards_;
  static constexpr std::size_t kSweptAtOnce = base::Sharded<Shard>::size() / 8;
  std::size_t swept_ = 0;  // touched by sweep() alone
  store::Store* store_ = nullptr;
  const std::shared_ptr<std::atomic<std::int64_t>> unsaved_ =
      std::make_shared<std::atomic<std::int64_t>>(0);  // the store's thread counts down
};

}  // namespace tribune::balancer
