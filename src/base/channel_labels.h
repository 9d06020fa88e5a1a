#pragma once
// Values of the label "channel" of metrics. They are bounded, so that an event with thousands of channels does not
// create as many series of each metric.

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

  /// The channel itself for the first channels up to the bound, "other" for all further ones. Counters and differences
  /// of those add up under "other".
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
