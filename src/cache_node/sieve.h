#pragma once
// Which object goes when room is needed: SIEVE (Zhang et al., "SIEVE is Simpler than LRU: an Efficient Turn-Key Eviction
// Algorithm for Web Caches", NSDI 2024). One queue in order of arrival; a hit sets a mark; a hand moves from the oldest
// towards the newest, takes away marks, and stops at the first object without one.

#include <cstddef>

namespace tribune::cache_node {

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

  /// The next to go, still queued; null when everything is in use. Takes at most `max_steps` marks away, then anything not
  /// in use goes: the index is locked meanwhile.
  template <class InUse>
  SieveLink* candidate(InUse in_use, std::size_t max_steps) {
    // Twice round meets every object without its mark; further objects in use never become free meanwhile.
    bool went_round = false;
    for (std::size_t steps = 0;; ++steps) {
      if (!hand_) {
        if (went_round || !oldest_) return any_unused(in_use);
        went_round = steps > 0;
        hand_ = oldest_;
      }
      SieveLink* link = hand_;
      if (!in_use(*link) && (!link->marked || steps >= max_steps)) return link;
      if (steps >= 2 * max_steps) return nullptr;
      link->marked = false;
      hand_ = link->newer;
    }
  }

 private:
  /// After a full round every mark is gone; what is not in use is found in one more pass.
  template <class InUse>
  SieveLink* any_unused(InUse in_use) const {
    for (SieveLink* link = oldest_; link; link = link->newer)
      if (!in_use(*link)) return link;
    return nullptr;
  }

  SieveLink* oldest_ = nullptr;
  SieveLink* newest_ = nullptr;
  SieveLink* hand_ = nullptr;
};

}  // namespace tribune::cache_node
