#pragma once
// What the origins of each channel answer to this node's fills, so that the balancer can compare nodes: an origin that
// refuses one node and serves the others has that node's address on no list, or on the wrong one.

#include <cstddef>
#include <cstdint>
#include <deque>
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
  /// Counts a response for an object. A status that depends on the object (404, 410, 416, 425) says nothing about the
  /// node, and neither does an object that is refused again and again: it counts once.
  void add(std::string_view channel, std::uint64_t object, int status);

  /// The counts since the start: of the channels that are refused, then of those with the most responses, at most
  /// contracts::kMaxAnsweredChannels.
  std::vector<contracts::ChannelAnswers> counts() const;

 private:
  static constexpr std::size_t kRefusedKept = 32;
  struct Counted {
    std::int64_t delivered = 0, refused_in_a_row = 0;
    std::deque<std::uint64_t> refused;  // the last objects that were refused in a row, at most kRefusedKept
  };
  mutable std::mutex mutex_;
  std::map<std::string, Counted, std::less<>> channels_;  // of the channel map, present or former
};

}  // namespace tribune::cache_node
