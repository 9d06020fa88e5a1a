#pragma once
// Links that are no longer listed but may still be used by viewers: those of an ended playlist that was loaded before
// its links were renewed, and those that a former process listed, whose viewers are not known. Any thread; locks
// inside.

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "base/clock.h"

namespace tribune::balancer {

class LinkHolds {
 public:
  /// Links that expire at `from`, in unix seconds, or later are in use until `until`.
  void add(std::int64_t from, base::SteadyTime until) {
    const std::lock_guard lock(mutex_);
    holds_.push_back({from, until});
    if (holds_.size() <= kMaxHolds) return;
    // The two oldest become one hold that covers both.
    std::sort(holds_.begin(), holds_.end(), [](const Hold& a, const Hold& b) { return a.from < b.from; });
    holds_[0] = {holds_[0].from, std::max(holds_[0].until, holds_[1].until)};
    holds_.erase(holds_.begin() + 1);
  }

  /// The oldest expiry of a link in use.
  std::optional<std::int64_t> oldest(base::SteadyTime now) {
    const std::lock_guard lock(mutex_);
    std::erase_if(holds_, [&](const Hold& hold) { return hold.until <= now; });
    const auto first =
        std::min_element(holds_.begin(), holds_.end(), [](const Hold& a, const Hold& b) { return a.from < b.from; });
    if (first == holds_.end()) return std::nullopt;
    return first->from;
  }

 private:
  static constexpr std::size_t kMaxHolds = 64;
  struct Hold {
    std::int64_t from;
    base::SteadyTime until;
  };
  std::mutex mutex_;
  std::vector<Hold> holds_;
};

}  // namespace tribune::balancer
