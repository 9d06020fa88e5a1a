#pragma once
// The nodes of this node's group that are up, as the balancers said last. A balancer that is away changes nothing while
// no other one is heard; one that is heard replaces the word of those that are not.

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

  void take(const std::string& balancer, Peers said);
  /// Its word counts no longer, if there is another's.
  void lost(const std::string& balancer);
  std::shared_ptr<const Peers> peers() const { return peers_.get(); }

 private:
  struct Report {
    Peers peers;
    bool is_current = true;
  };
  void publish();

  std::mutex mutex_;                       // guards words_
  std::map<std::string, Report> reports_;  // by balancer
  base::Published<Peers> peers_;
};

}  // namespace tribune::cache_node
