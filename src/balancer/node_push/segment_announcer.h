#pragma once
// The announcements of one media playlist: what is new in a reading is told to the nodes whose viewers follow it, and
// the reading is held back from the viewers of each until it fills it, for publish_delay at most. A node that does not
// listen is not waited for.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "balancer/node_push/following_nodes.h"
#include "balancer/node_push/node_push_handler.h"
#include "balancer/node_push/snapshot_hold.h"
#include "base/metrics.h"
#include "net/event_loop.h"

namespace tribune::balancer {

/// What is told of one reading: what its end names. A source that gained more is not at its live edge.
inline constexpr std::size_t kMaxAnnounced = 16;

/// Owned by one worker.
class SegmentAnnouncer {
 public:
  /// Without a desk nothing is told or held back. The others outlive it.
  SegmentAnnouncer(NodePushHandler*, net::EventLoop&, const base::Clock&, base::Metrics&);
  ~SegmentAnnouncer();

  const std::shared_ptr<FollowingNodes>& audience() const { return audience_; }
  const std::shared_ptr<SnapshotHold>& gate() const { return gate_; }

  /// Before a reading is published: `newest` are the links' targets at its end, `former` is what is published now;
  /// null: nothing. `idle`: who did not ask for so long follows no more.
  void announce(const std::vector<std::string>& newest, base::SteadyTime::duration idle, SnapshotPtr former);

  /// Holds nothing back any more of what was announced.
  void end();

 private:
  struct Telling {
    std::size_t left = 0;  // nodes that have not taken it
    net::Timer patience;
  };
  void taken(std::int64_t number, std::string_view node);
  void give_up(std::int64_t number);

  NodePushHandler* const desk_;
  net::EventLoop& loop_;
  const base::Clock& clock_;
  base::Counter taken_, late_, unheard_;
  const std::shared_ptr<FollowingNodes> audience_ = std::make_shared<FollowingNodes>();
  const std::shared_ptr<SnapshotHold> gate_ = std::make_shared<SnapshotHold>();
  std::set<std::string> told_;                // of the last reading
  std::int64_t number_ = 0;                   // of the last announcement
  std::map<std::int64_t, Telling> tellings_;  // that nodes have not taken
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace tribune::balancer
