#pragma once
// Which object goes when room is needed: SIEVE (Zhang et al., "SIEVE is Simpler than LRU: an Efficient Turn-Key
// Eviction Algorithm for Web Caches", NSDI 2024). One queue in order of arrival; a hit sets a mark; a hand moves from
// the oldest towards the newest, takes away marks, and stops at the first object without one.

#include <cstddef>

namespace tribune::base {

/// Part of what is queued; queued at most once.
struct SieveLink {
  SieveLink* older = nullptr;
  SieveLink* newer = nullptr;
  bool queued = false;
  bool marked = false;
};

/// Guarded by its owner. Links must be removed before they are destroyed.
class Sieve {
 public:
  void add(SieveLink& link) {
    link.older = newest_;
    link.newer = nullptr;
    link.marked = false;
    link.queued = true;
    (newest_ ? newest_->newer : oldest_) = &link;
    newest_ = &link;
  }

  void remove(SieveLink& link) {
    if (!link.queued) return;
    if (hand_ == &link) hand_ = link.newer;
    (link.older ? link.older->newer : oldest_) = link.newer;
    (link.newer ? link.newer->older : newest_) = link.older;
    link.queued = false;
  }

  /// The next to go, still queued; null when everything looked at is in use. `is_young` is true for none, or from some
  /// object on to the newest: the hand turns back there. Takes at most `max_steps` marks away, then anything not in use
  /// goes, and it gives up after as many more: the index is locked meanwhile.
  template <class InUse, class IsYoung>
  SieveLink* candidate(InUse in_use, IsYoung is_young, std::size_t max_steps) {
    // From the middle to the end, round without marks, and round once more: further objects in use stay so meanwhile.
    int turns = 0;
    for (std::size_t steps = 0; steps < 2 * max_steps; ++steps) {
      if (!hand_ || is_young(*hand_)) {
        if (!oldest_ || is_young(*oldest_) || ++turns > 3) return nullptr;
        hand_ = oldest_;
      }
      SieveLink* link = hand_;
      if (!in_use(*link) && (!link->marked || steps >= max_steps)) return link;
      link->marked = false;
      hand_ = link->newer;
    }
    return nullptr;
  }

 private:
  SieveLink* oldest_ = nullptr;
  SieveLink* newest_ = nullptr;
  SieveLink* hand_ = nullptr;
};

}  // namespace tribune::base
