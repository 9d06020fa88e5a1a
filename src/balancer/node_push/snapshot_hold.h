#pragma once
// What of one media playlist is not listed yet for the viewers of some nodes: those that were told of its newest
// segments and do not say yet that they fill them. Viewers of all other nodes see the newest reading at once.
//
// Lifetime of a hold
//   held      the reading's nodes were told, and it is about to be published   (hold)
//   opened    for one node after the other, as they fill what they were told   (open)
//   over      for all, because all fill it or waited long enough               (open, end)
// While a hold lasts, the sessions that saw the reading are remembered: whoever is led to another node meanwhile does
// not see the playlist go back.

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "access/sessions.h"

namespace tribune::balancer {

class SourceSnapshot;
using SnapshotPtr = std::shared_ptr<const SourceSnapshot>;

/// Any thread; locks inside, for the sessions that asked during a hold.
class SnapshotHold {
 public:
  /// The reading that follows `former` is held back from the viewers of these nodes. Numbers grow.
  void hold(std::int64_t number, SnapshotPtr former, const std::vector<std::string>& nodes);
  /// That node fills what the reading has.
  void open(std::int64_t number, std::string_view node);
  /// The reading was held back long enough.
  void end(std::int64_t number);
  /// All of them.
  void end();
  /// Nobody publishes any more: holds nothing back, and tells nobody.
  void forget();

  /// What this session sees now, when `newest` is published; `node` would serve it, empty: none.
  SnapshotPtr listed(const SnapshotPtr& newest, std::string_view node, access::SessionId);
  /// `on_open` runs once, when this session sees more than now; by whoever opens, with nothing locked. False, and it
  /// never runs, when nothing is held back from it.
  bool wait(std::string_view node, access::SessionId, std::function<void()> on_open);

 private:
  struct Hold {
    std::int64_t number = 0;
    SnapshotPtr former;
    std::vector<std::string> nodes;  // from whose viewers it is held back
    std::unordered_set<access::SessionId> shown{};
    std::vector<std::pair<std::string, std::function<void()>>> waiting{};
  };
  using Calls = std::vector<std::function<void()>>;

  static bool is_held(const Hold&, std::string_view node, access::SessionId);

  std::atomic<bool> holds_any_{false};  // most of the time nothing is held, and nobody locks
  std::mutex mutex_;
  std::deque<Hold> holds_;  // the oldest first
};

}  // namespace tribune::balancer
