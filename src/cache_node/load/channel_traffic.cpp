#include "cache_node/load/channel_traffic.h"

#include <algorithm>

namespace tribune::cache_node {

ChannelTraffic::Bytes& ChannelTraffic::of(std::string_view channel) {
  {
    const std::shared_lock lock(mutex_);
    const auto found = channels_.find(channel);
    if (found != channels_.end()) return found->second.bytes;
  }
  const std::unique_lock lock(mutex_);
  return channels_[std::string(channel)].bytes;
}

std::vector<std::pair<std::string, double>> ChannelTraffic::take(double seconds, std::size_t most) {
  std::vector<std::pair<std::string, double>> rates;
  const std::shared_lock lock(mutex_);
  for (auto& [channel, traffic] : channels_) {
    const auto bytes = traffic.bytes.load(std::memory_order_relaxed), before = std::exchange(traffic.taken, bytes);
    if (bytes > before && seconds > 0)
      rates.emplace_back(channel, static_cast<double>(bytes - before) * 8 / 1e6 / seconds);
  }
  std::sort(rates.begin(), rates.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  if (rates.size() > most) rates.resize(most);
  return rates;
}

}  // namespace tribune::cache_node
