#pragma once
// The traffic of each channel, for the balancer's traffic limits per channel.

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

/// Any thread; locks inside, for one look-up in a map.
class ChannelTraffic {
 public:
  using Bytes = std::atomic<std::uint64_t>;

  /// The byte counter of a channel; valid until destruction. Only for channels of the channel map.
  Bytes& of(std::string_view channel);

  /// Mbit/s since the last call, of the busiest channels, at most `most`; channels without traffic are left out.
  /// Called from one thread.
  std::vector<std::pair<std::string, double>> take(double seconds, std::size_t most);

 private:
  struct Channel {
    Bytes bytes{0};
    std::uint64_t taken = 0;
  };
  std::shared_mutex mutex_;  // guards the map, not the counters in it
  std::map<std::string, Channel, std::less<>> channels_;
};

}  // namespace tribune::cache_node
