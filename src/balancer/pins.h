#pragma once
// The pins of every session that gets direct links: which node serves it from which MSN on. What was listed to a session
// once keeps its text (DESIGN, "Why pins").
//
// Lifetime of a pin
//   set        another node was chosen: from the first MSN not yet listed to this session    (pin)
//   replaced   its node died, and the player takes a rewritten listed segment                (pin)
//   dropped    the window has left it behind, or more than kMaxPins stand                    (pin)
//   released   with its session                                                              (release)

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "access/sessions.h"
#include "balancer/nodes.h"
#include "balancer/source_snapshot.h"

namespace tribune::balancer {

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

/// Any thread; locks inside, for one session's few pins.
class PinBoard {
 public:
  /// Pins this session for the window that it is about to see, and returns the pins that matter there, in the form that is
  /// equal for all viewers who see the same text: the first one from MSN 0, none beyond the window.
  /// `chosen` serves what is not listed yet. `takes_rewriting`: the player bears another URI for a listed segment whose node
  /// is gone (media3, VHS).
  LinkPins pin(access::SessionId, const Window&, const NodeTable&, const std::shared_ptr<const NodeAddress>& chosen, bool takes_rewriting);

  /// Remembers the cache that the client named; kept to the end of the session.
  void prefer(access::SessionId, std::string_view node);
  /// Empty when the client named none.
  std::string preferred(access::SessionId) const;

  void release(access::SessionId);
  std::size_t size() const;

 private:
  struct Pinned {
    std::vector<Pin> pins;
    std::int64_t listed_to = 0;    // the first MSN that no rendition has shown to this session
    std::string preferred;
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<access::SessionId, Pinned> sessions;
  };
  static constexpr std::size_t kShards = 64;
  Shard& shard_of(access::SessionId id) { return shards_[(id * 0x9e3779b97f4a7c15ull) >> 58]; }
  const Shard& shard_of(access::SessionId id) const { return shards_[(id * 0x9e3779b97f4a7c15ull) >> 58]; }

  std::array<Shard, kShards> shards_;
};

}  // namespace tribune::balancer
