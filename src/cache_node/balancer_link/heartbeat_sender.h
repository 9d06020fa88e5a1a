#pragma once
// Tells every balancer each second how this node is, and hears the channel map and the peers in return. A balancer that
// is away changes nothing: the node goes on with the map it has.

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "cache_node/balancer_link/channel_map_store.h"
#include "cache_node/filling/live_peers.h"
#include "cache_node/settings/node_view.h"
#include "contracts/heartbeat.h"
#include "runtime/role.h"

namespace tribune::cache_node {

/// What it needs of the world; outlives it.
struct HeartbeatParts {
  const base::Clock& clock;
  base::Log& log;
  base::Metrics& metrics;
  const PublishedNodeView& view;
  ChannelMapStore& channels;
  LivePeers& peers;
  std::function<contracts::Heartbeat()> state;  // all but node, run, sequence and time
};

/// Owned by one worker, apart from has_balancer().
class HeartbeatSender {
 public:
  HeartbeatSender(HeartbeatParts, runtime::Worker&);

  /// Sends one and goes on every interval.
  void start();
  /// A last one that says the node stops; no more after it.
  void stop();
  /// Names this run of the node, in everything that it tells balancers.
  const std::string& run() const { return run_; }
  /// Whether a balancer answered the last heartbeat but at most two. Any thread.
  bool has_balancer() const { return unanswered_ <= 2; }
  /// Why a balancer sends no viewers here; empty when all that answer do. Any thread.
  std::string unfit() const;

 private:
  struct Balancer {
    std::string url;
    std::unique_ptr<net::Fetch> fetch;
    bool failing = false;
    std::string unfit = {};
  };
  void send_all(bool stopping);
  void send(const std::shared_ptr<Balancer>&, const std::string& body, const NodeView&);
  void on_response(Balancer&, const base::Result<net::WholeAnswer>&);
  std::string rejection(Balancer&, const net::WholeAnswer&);
  void publish_unfit();

  const HeartbeatParts parts_;
  runtime::Worker& worker_;
  base::Counter accepted_, failed_;
  const std::string run_;
  std::int64_t sequence_ = 0;
  bool stopped_ = false;
  std::atomic<int> unanswered_{100};
  net::Timer timer_;
  std::vector<std::shared_ptr<Balancer>> balancers_;
  mutable std::mutex unfit_mutex_;
  std::string unfit_;  // guarded by unfit_mutex_
};

}  // namespace tribune::cache_node
