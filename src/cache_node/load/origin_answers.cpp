#include "cache_node/load/origin_answers.h"

#include <algorithm>
#include <tuple>

namespace tribune::cache_node {

void OriginAnswers::add(std::string_view channel, std::uint64_t object, int status) {
  if (status == 404 || status == 410 || status == 416 || status == 425) return;
  const std::lock_guard lock(mutex_);
  auto& counted = channels_[std::string(channel)];
  if (status < 400) {
    ++counted.delivered;
    counted.refused_in_a_row = 0;
    counted.refused.clear();
    return;
  }
  if (std::find(counted.refused.begin(), counted.refused.end(), object) != counted.refused.end()) return;
  ++counted.refused_in_a_row;
  counted.refused.push_back(object);
  if (counted.refused.size() > kRefusedKept) counted.refused.pop_front();
}

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
