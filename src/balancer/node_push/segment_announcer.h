#pragma once
// The announcements of one media playlist. New segments of a refresh are pushed to the nodes whose viewers follow the
// playlist, and the new snapshot is held from the viewers of each node until the node fills them, for at most
// publish_delay. Nodes that do not listen are not waited for.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "balancer/node_push/node_push_handler.h"
#include "balancer/node_push/playlist_publication.h"
#include "base/metrics.h"
#include "net/event_loop.h"

namespace tribune::balancer {

/// Segments announced of one refresh, from its end. A source that gained more is not at its live edge.
inline constexpr std::size_t kMaxAnnounced = 16;

/// Owned by one worker.
class SegmentAnnouncer {
 public:
  /// Without a push handler nothing is announced or held. The others outlive it.
  SegmentAnnouncer(NodePushHandler*, net::EventLoop&, const base::Clock&, base::Metrics&);
  ~SegmentAnnouncer();

  const PlaylistPublicationPtr& publication() const { return publication_; }

  /// Call it before a refresh is published. `newest` are the link targets at its end, `former` is the published
  /// snapshot or null. A node whose viewers have not fetched the playlist within `idle` no longer follows it.
  void announce(const std::vector<std::string>& newest, base::SteadyTime::duration idle, SnapshotPtr former);

  /// Ends all holds.
  void end();

 private:
  struct PendingAnnouncement {
    std::size_t left = 0;  // nodes that have not acknowledged it
    net::Timer timeout;
  };
  void on_filled(std::int64_t number, std::string_view node);
  void on_timeout(std::int64_t number);

  NodePushHandler* const push_handler_;
  net::EventLoop& loop_;
  const base::Clock& clock_;
  base::Counter filled_, late_, not_listening_;
  const PlaylistPublicationPtr publication_ = std::make_shared<PlaylistPublication>();
  std::set<std::string> announced_;                      // the targets of the last refresh
  std::int64_t number_ = 0;                              // of the last announcement
  std::map<std::int64_t, PendingAnnouncement> pending_;  // announcements that wait for nodes
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace tribune::balancer
