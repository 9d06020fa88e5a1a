#pragma once
// What the origins of each channel answer to this node's fills, so that the balancer can compare nodes: an origin that
// refuses one node and serves the others has that node's address on no list, or on the wrong one.

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "contracts/heartbeat.h"

namespace tribune::cache_node {

/// Any thread; locks inside, once per response of an origin.
class OriginAnswers {
 public:
  /// Counts a response. A status that depends on the object (404, 410, 416, 425) says nothing about the node.
  void add(std::string_view channel, int status) {
    if (status == 404 || status == 410 || status == 416 || status == 425) return;
    const std::lock_guard lock(mutex_);
    auto& counted = channels_[std::string(channel)];
    if (status < 400) {
      ++counted.delivered;
      counted.refused_in_a_row = 0;
    } else {
      ++counted.refused_in_a_row;
    }
  }

  /// The counts since the start: of the channels that are refused, then of those with the most responses, at most
  /// contracts::kMaxAnsweredChannels.
  std::vector<contracts::ChannelAnswers> counts() const;

 private:
  struct Counted {
    std::int64_t delivered = 0, refused_in_a_row = 0;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Counted, std::less<>> channels_;  // of the channel map, present or former
};

}  // namespace tribune::cache_node
