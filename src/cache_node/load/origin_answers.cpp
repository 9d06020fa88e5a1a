#include "cache_node/load/origin_answers.h"

#include <algorithm>
#include <tuple>

namespace tribune::cache_node {

std::vector<contracts::ChannelAnswers> OriginAnswers::counts() const {
  std::vector<contracts::ChannelAnswers> all;
  {
    const std::lock_guard lock(mutex_);
    all.reserve(channels_.size());
    for (const auto& [channel, counted] : channels_)
      all.push_back({channel, counted.delivered, counted.refused_in_a_row});
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return std::tuple(a.refused_in_a_row > 0, a.delivered) > std::tuple(b.refused_in_a_row > 0, b.delivered);
  });
  if (all.size() > contracts::kMaxAnsweredChannels) all.resize(contracts::kMaxAnsweredChannels);
  return all;
}

}  // namespace tribune::cache_node
