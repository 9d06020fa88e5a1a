#pragma once
// The nodes whose viewers follow one media playlist, as known from the playlists that these viewers fetched.

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace tribune::balancer {

/// Any thread; locks inside. The map is bounded by the number of configured nodes.
class FollowingNodes {
 public:
  /// Records that a viewer of that node fetched the playlist.
  void seen(std::string_view node, base::SteadyTime now) {
    const std::lock_guard lock(mutex_);
    if (const auto known = seen_.find(node); known != seen_.end())
      known->second = now;
    else
      seen_.emplace(node, now);
  }

  /// Returns the nodes seen since then, and removes the others.
  std::vector<std::string> nodes(base::SteadyTime since) {
    std::vector<std::string> nodes;
    const std::lock_guard lock(mutex_);
    std::erase_if(seen_, [&](const auto& entry) { return entry.second < since; });
    for (const auto& [node, at] : seen_) nodes.push_back(node);
    return nodes;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, base::SteadyTime, std::less<>> seen_;
};

}  // namespace tribune::balancer
