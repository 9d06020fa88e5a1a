#pragma once
// The values of the metrics' label "channel": an event of thousands of channels must not make as many series of each
// metric.

#include <cstddef>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace tribune::base {

/// Any thread; locks inside.
class ChannelLabels {
 public:
  explicit ChannelLabels(std::size_t most) : most_(most) {}

  /// The channel itself for the first so many channels that are asked about, "other" for all further ones: counters and
  /// differences add up there.
  std::string of(std::string_view channel) {
    const std::lock_guard lock(mutex_);
    if (known_.find(channel) != known_.end()) return std::string(channel);
    if (known_.size() >= most_) return "other";
    return *known_.emplace(channel).first;
  }

 private:
  const std::size_t most_;
  std::mutex mutex_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace tribune::base
