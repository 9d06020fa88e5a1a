#pragma once
// The channels whose origins sent responses that vary by request fields that no rule names. The log has one line for
// each channel.

#include <cstddef>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace tribune::cache_node {

/// Any thread; locks inside.
class VaryWarnings {
 public:
  /// True on the first call for a channel. Beyond a maximum number of channels further ones are ignored.
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
