#pragma once
// Sends every balancer a heartbeat each second, and receives the channel map and the peers in the response. A
// balancer that does not answer changes nothing: the node continues with the map it has. The response also says which
// numbers the balancer has listed; a balancer that starts asks for those of its former run.

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

/// The parts that the sender uses. They outlive it.
struct HeartbeatParts {
  const base::Clock& clock;
  base::Log& log;
  base::Metrics& metrics;
  const PublishedNodeView& view;
  ChannelMapStore& channels;
  LivePeers& peers;
  std::function<contracts::Heartbeat()> next_heartbeat;  // all fields except node, run, sequence and time
};

/// Owned by one worker, apart from has_balancer() and unfit().
class HeartbeatSender {
 public:
  HeartbeatSender(HeartbeatParts, runtime::Worker&);

  /// Sends a heartbeat now and one every interval.
  void start();
  /// Sends one out of turn, for a newer channel map; at most every 100 ms. On its worker.
  void send_soon();
  /// Sends the last heartbeat, which reports the stop.
  void stop();
  /// Identifies this run of the node in all its messages to balancers.
  const std::string& run() const { return run_; }
  /// Whether a balancer answered one of the last three heartbeats. Any thread.
  bool has_balancer() const { return unanswered_ <= 2; }
  /// The reason why a balancer sends no viewers to this node; empty when every balancer that answers sends viewers. Any
  /// thread.
  std::string unfit() const;

 private:
  struct Balancer {
    std::string url;
    std::unique_ptr<net::Fetch> fetch;
    bool failing = false;
    std::string unfit = {};
    contracts::ListedNumbers listed = {};  // of its last run that has listed the channel
    bool wants_listed = false;             // it has started, and asks for them
  };
  void send_all(bool stopping);
  void send(const std::shared_ptr<Balancer>&, const std::string& body, const NodeView&);
  void keep_listed(Balancer&, contracts::NumbersOfAnswer);
  void on_response(Balancer&, const base::Result<net::WholeAnswer>&);
  std::string rejection(Balancer&, const net::WholeAnswer&);
  void publish_unfit();

  const HeartbeatParts parts_;
  runtime::Worker& worker_;
  base::Counter accepted_, failed_;
  const std::string run_;
  std::int64_t sequence_ = 0;
  base::SteadyTime sent_at_{};
  bool stopped_ = false;
  std::atomic<int> unanswered_{100};
  net::Timer timer_, soon_;
  std::vector<std::shared_ptr<Balancer>> balancers_;
  mutable std::mutex unfit_mutex_;
  std::string unfit_;  // guarded by unfit_mutex_
};

}  // namespace tribune::cache_node
