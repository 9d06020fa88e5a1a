#pragma once
// Counts the records of one table that are not on disk yet, and remembers those whose write failed, so that their owner
// writes them again once the disk has room.

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <unordered_set>
#include <vector>

#include "base/result.h"

namespace tribune::store {

/// Any thread; locks inside.
class UnsavedRecords {
 public:
  /// How many records the owner should write again in one call: the disk may still be full.
  static constexpr std::size_t kRetriedAtOnce = 4'096;

  /// For each write: when it is queued, and its outcome.
  void queued() {
    const std::lock_guard lock(mutex_);
    ++in_flight_;
  }
  void finished(std::uint64_t id, const base::Status& status) {
    const std::lock_guard lock(mutex_);
    --in_flight_;
    if (!status) failed_.insert(id);
  }

  std::int64_t size() const {
    const std::lock_guard lock(mutex_);
    return in_flight_ + std::ssize(failed_);
  }
  /// Up to kRetriedAtOnce of the records whose last write failed, each once.
  std::vector<std::uint64_t> take_failed() {
    const std::lock_guard lock(mutex_);
    std::vector<std::uint64_t> taken;
    while (!failed_.empty() && taken.size() < kRetriedAtOnce) taken.push_back(failed_.extract(failed_.begin()).value());
    return taken;
  }

 private:
  mutable std::mutex mutex_;
  std::int64_t in_flight_ = 0;
  std::unordered_set<std::uint64_t> failed_;
};

}  // namespace tribune::store
