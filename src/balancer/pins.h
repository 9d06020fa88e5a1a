#pragma once
// The pins of every session that gets direct links: which node serves it from which MSN on. What was listed to a session
// once keeps its text (DESIGN, "Why pins").
//
// Lifetime of a pin
//   set        another node was chosen: from the first MSN not yet listed to this session    (pin)
//   replaced   its node died, and the player takes a rewritten listed segment                (pin)
//   dropped    the window has left it behind, or more than kMaxPins stand                    (pin)
//   released   with its session                                                              (release)
//   restored   the process began anew: what it wrote down is taken at the session's first request, or forgotten (load, sweep)
//   recreated  another process, or one without its files: one pin at the node that the session's token names (pin)

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
#include <vector>

#include "access/sessions.h"
#include "balancer/nodes.h"
#include "balancer/source_snapshot.h"
#include "base/clock.h"
#include "store/store.h"

namespace tribune::balancer {

/// Pathways of one session that have pins.
inline constexpr std::size_t kMostPinnedPathways = 8;

/// From `first_msn` on, this session's segments come from that node. The first pin of a session covers all before it, too.
struct Pin {
  std::int64_t first_msn = 0;
  std::shared_ptr<const NodeAddress> node;
};

/// What one playlist lists: MSNs in [first_msn, next_msn).
struct Window {
  std::int64_t first_msn = 0;
  std::int64_t next_msn = 0;
};

/// Node changes that a session remembers; with more the oldest are forgotten.
inline constexpr std::size_t kMaxPins = 8;

/// MSNs by which the renditions of a channel may trail each other: a pin is kept until all have passed it.
inline constexpr std::int64_t kRenditionLag = 16;

/// The table of the role's store that PinBoard writes.
inline constexpr std::string_view kPinsTable = "pins";

/// What a former process wrote of a session that did not come back is forgotten then.
inline constexpr std::chrono::minutes kForgetPinsAfter{10};

/// What is written down of a session: "1 c:{preferred} [{msn} {node} {url}]…".
struct PinRecord {
  std::string preferred;
  std::vector<Pin> pins;
};
std::string to_text(const PinRecord&);
std::optional<PinRecord> pins_from_text(std::string_view);

/// Any thread; locks inside, for one session's few pins.
class PinBoard {
 public:
  /// Before the workers run: what a former process wrote. From then on changes are written behind. The store outlives the last call of
  /// the others; without load() nothing is kept. Damaged records are dropped.
  base::Status load(store::Store&, base::SteadyTime now);

  /// Pins this session for the window that it is about to see, and returns the pins that matter there, in the form that is
  /// equal for all viewers who see the same text: the first one from MSN 0, none beyond the window.
  /// `chosen` serves what is not listed yet. `takes_rewriting`: the player bears another URI for a listed segment whose node
  /// is gone (media3, VHS).
  /// `pathway`: the playlist is another one under each pathway, and has pins of its own; empty: under none. It must name a group that
  /// exists, or the origin; a session has kMostPinnedPathways of them, and further ones share the pins of none.
  /// `first`: the node that the session was sent to at its opening; whatever was listed to a session that this process did not open, and of
  /// which nothing was written down, is taken to have come from there.
  LinkPins pin(access::SessionId, const Window&, const NodeTable&, const std::shared_ptr<const NodeAddress>& chosen, bool takes_rewriting,
               std::string_view pathway = {}, const std::shared_ptr<const NodeAddress>& first = nullptr);

  /// The session is opened here: nothing was listed to it.
  void begin(access::SessionId);
  /// Remembers the cache that the client named; kept to the end of the session.
  void prefer(access::SessionId, std::string_view node);
  /// Empty when the client named none.
  std::string preferred(access::SessionId);
  /// The node of the last pin; empty when there is none.
  std::string last_node(access::SessionId, std::string_view pathway = {});

  void release(access::SessionId);
  /// Forgets the sessions of a former process that did not come back. Every few seconds, by one worker.
  void sweep(base::SteadyTime now);
  std::size_t size() const;
  /// Changes on their way to the disk: some 50 ms each. A process that is killed before forgets them.
  std::int64_t unsaved() const { return unsaved_->load(); }

 private:
  struct Pinned {
    std::vector<Pin> pins;
    std::int64_t listed_to = 0;    // the first MSN that no rendition has shown to this session
    std::string preferred;
    bool is_restored = false;      // listed_to is not known yet
    bool is_written = false;
    bool is_of_pathway = false;
    bool was_opened_here = false;
    std::vector<access::SessionId> pathways;   // where this session's other pins are
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<access::SessionId, Pinned> sessions;
    std::unordered_map<access::SessionId, PinRecord> former;   // of a former process, not come back yet
  };
  void forget(access::SessionId);
  struct Place {
    access::SessionId id;
    bool was_opened_here;
  };
  Place place_of(access::SessionId, std::string_view pathway);
  Pinned* find(Shard&, access::SessionId);                // with the shard's mutex held, like the next two
  Pinned& find_or_add(Shard&, access::SessionId);
  void write(access::SessionId, Pinned&);
  static constexpr std::size_t kShards = 64;
  Shard& shard_of(access::SessionId id) { return shards_[(id * 0x9e3779b97f4a7c15ull) >> 58]; }
  const Shard& shard_of(access::SessionId id) const { return shards_[(id * 0x9e3779b97f4a7c15ull) >> 58]; }

  std::array<Shard, kShards> shards_;
  store::Store* store_ = nullptr;
  const std::shared_ptr<std::atomic<std::int64_t>> unsaved_ = std::make_shared<std::atomic<std::int64_t>>(0);   // the store's thread counts down
  base::SteadyTime loaded_{};
  std::atomic<bool> has_former_{false};
};

}  // namespace tribune::balancer
