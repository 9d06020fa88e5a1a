#pragma once
// Links that no playlist in memory lists but that viewers may use: those of an ended playlist that was loaded before
// its links were renewed, those that a former process listed, whose viewers are not known, and those of a playlist of a
// former process from which no segment leaves and which nobody has requested since. Any thread; locks inside.

#include <algorithm>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
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

  /// Links of the track that expire at `from` or later are in use until the track is listed again.
  void add_until_listed(const std::string& track, std::int64_t from) {
    const std::lock_guard lock(mutex_);
    unlisted_[track] = from;
  }
  void listed_again(const std::string& track) {
    const std::lock_guard lock(mutex_);
    unlisted_.erase(track);
  }
  /// The channel has another source: none of the tracks is listed again.
  void forget_unlisted() {
    const std::lock_guard lock(mutex_);
    unlisted_.clear();
  }

  /// The oldest expiry of a link in use.
  std::optional<std::int64_t> oldest(base::SteadyTime now) {
    const std::lock_guard lock(mutex_);
    std::erase_if(holds_, [&](const Hold& hold) { return hold.until <= now; });
    std::optional<std::int64_t> first;
    const auto count = [&first](std::int64_t from) { first = std::min(first.value_or(from), from); };
    for (const auto& hold : holds_) count(hold.from);
    for (const auto& [track, from] : unlisted_) count(from);
    return first;
  }

 private:
  static constexpr std::size_t kMaxHolds = 64;
  struct Hold {
    std::int64_t from;
    base::SteadyTime until;
  };
  std::mutex mutex_;
  std::vector<Hold> holds_;
  std::map<std::string, std::int64_t> unlisted_;
};

}  // namespace tribune::balancer
