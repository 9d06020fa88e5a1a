#pragma once
// The newest snapshots of one media playlist that the viewers of some nodes do not see yet: the nodes that were
// notified of the new segments and have not acknowledged them. The viewers of all other nodes see the newest snapshot
// at once.
//
// Lifetime of a hold
//   held      the nodes were notified, and the snapshot is about to be published             (hold)
//   opened    for one node after the other, as they acknowledge the segments                 (open)
//   over      for all nodes: all have acknowledged, or the delay is over                     (open, end)
// While a hold lasts, the sessions that saw the snapshot are remembered, so that a session that moves to another node
// does not see the playlist go back.

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

/// Any thread; locks inside, but only during a hold.
class SnapshotHold {
 public:
  /// Holds the snapshot that follows `former` from the viewers of these nodes. Numbers grow.
  void hold(std::int64_t number, SnapshotPtr former, const std::vector<std::string>& nodes);
  /// Records that the node fills the segments of that snapshot.
  void open(std::int64_t number, std::string_view node);
  /// Ends the hold of that snapshot, because its delay is over.
  void end(std::int64_t number);
  /// Ends all holds.
  void end();
  /// Drops all holds without calling back. Call it after the last publication.
  void forget();

  /// The snapshot that this session sees when `newest` is published. `node` would serve it; empty: no node.
  SnapshotPtr visible(const SnapshotPtr& newest, std::string_view node, access::SessionId);
  /// `on_open` runs once, with no lock held, when a newer snapshot becomes visible to this session. Returns
  /// false, and drops `on_open`, when nothing is held from the session.
  bool wait(std::string_view node, access::SessionId, std::function<void()> on_open);

 private:
  struct Hold {
    std::int64_t number = 0;
    SnapshotPtr former;
    std::vector<std::string> nodes;  // from whose viewers it is held
    std::unordered_set<access::SessionId> shown{};
    std::vector<std::pair<std::string, std::function<void()>>> waiting{};
  };
  using Calls = std::vector<std::function<void()>>;

  static bool is_held(const Hold&, std::string_view node, access::SessionId);

  std::atomic<bool> holds_any_{false};  // mostly false; then nothing is locked
  std::mutex mutex_;
  std::deque<Hold> holds_;  // oldest first
};

}  // namespace tribune::balancer
