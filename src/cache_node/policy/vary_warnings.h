#pragma once
// Which channels' origins were seen to send answers that depend on request fields which tell no objects apart: the log
// says it once for each channel.

#include <cstddef>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace tribune::cache_node {

/// Any thread; locks inside.
class VaryWarnings {
 public:
  /// Whether it is the first time for the channel. Of very many channels the later ones are passed over.
  bool is_first(std::string_view channel) {
    const std::lock_guard lock(mutex_);
    return known_.size() < kMost && known_.emplace(channel).second;
  }

 private:
  static constexpr std::size_t kMost = 1'000;
  std::mutex mutex_;
  std::set<std::string> known_;  // guarded by mutex_
};

}  // namespace tribune::cache_node
