#pragma once
// SIEVE eviction (Zhang et al., "SIEVE is Simpler than LRU: an Efficient Turn-Key Eviction Algorithm for Web Caches",
// NSDI 2024). One queue in order of arrival; a hit sets a mark; a hand moves from the oldest towards the newest, clears
// marks, and stops at the first object without one.

#include <cstddef>

namespace tribune::base {

/// Base of queued objects; in at most one queue.
struct SieveLink {
  SieveLink* older = nullptr;
  SieveLink* newer = nullptr;
  bool queued = false;
  bool marked = false;
};

/// Not synchronised: the owner locks. Links must be removed before they are destroyed.
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

  /// The next object to evict, still queued; null when all examined objects are in use. `is_young` is false for all
  /// objects, or true from one object on to the newest; the hand turns back there. Clears at most `max_steps` marks,
  /// then accepts any object that is not in use, and stops after as many further steps, because the index is locked
  /// during the call.
  template <class InUse, class IsYoung>
  SieveLink* candidate(InUse in_use, IsYoung is_young, std::size_t max_steps) {
    // From the middle to the end, one round without marks, and one more round: objects in use stay in use during the
    // call.
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
