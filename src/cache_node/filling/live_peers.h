#pragma once
// The live nodes of this node's group, as the balancers last reported them. A balancer that does not answer changes
// nothing while no other one answers; a balancer that answers replaces the reports of those that do not.

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/published.h"
#include "contracts/heartbeat.h"

namespace tribune::cache_node {

using Peers = std::vector<contracts::Peer>;  // by id, each once

/// Any thread; locks inside.
class LivePeers {
 public:
  LivePeers() : peers_(std::make_shared<const Peers>()) {}

  void update(const std::string& balancer, Peers reported);
  /// From now on the balancer's report is ignored while another balancer's report is current.
  void mark_unreachable(const std::string& balancer);
  std::shared_ptr<const Peers> peers() const { return peers_.get(); }

 private:
  struct Report {
    Peers peers;
    bool is_current = true;
  };
  void publish();

  std::mutex mutex_;                       // guards reports_
  std::map<std::string, Report> reports_;  // by balancer
  base::Published<Peers> peers_;
};

}  // namespace tribune::cache_node
