#pragma once
// How much of each channel goes out: for the balancer, whose limits of a channel's traffic live by it.

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tribune::cache_node {

/// Any thread; locks inside, for one look into a map.
class ChannelTraffic {
 public:
  using Bytes = std::atomic<std::uint64_t>;

  /// Where the bytes of a channel are added; stays to the end. Call it for channels of the channel map alone.
  Bytes& of(std::string_view channel);

  /// Since the last call, in Mbit/s: of the busiest channels, at most `most`, those without traffic left out. One
  /// thread.
  std::vector<std::pair<std::string, double>> take(double seconds, std::size_t most);

 private:
  struct Channel {
    Bytes bytes{0};
    std::uint64_t taken = 0;
  };
  std::shared_mutex mutex_;  // guards the map, not what it holds
  std::map<std::string, Channel, std::less<>> channels_;
};

}  // namespace tribune::cache_node
