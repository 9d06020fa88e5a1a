#pragma once
// Whether writes to the disk succeed. One failed write makes it degraded, one successful write makes it healthy
// again.

#include <mutex>
#include <string>

#include "base/log.h"
#include "base/metrics.h"

namespace tribune::cache_node {

/// Any thread; locks inside.
class DiskHealth {
 public:
  DiskHealth(base::Log& log, base::Metrics& metrics)
      : log_(log),
        failures_(metrics.counter("tribune_cache_disk_failures_total", "Writes to the store that failed.")),
        degraded_(metrics.gauge("tribune_cache_disk_degraded",
                                "1 while the store accepts no writes and objects are held in RAM only.")) {}

  void failed(const std::string& reason) {
    failures_.add();
    const std::lock_guard lock(mutex_);
    if (reason_.empty()) {
      degraded_.set(1);
      log_.error("cache_node", "disk_failed", {{"error", reason}});
    }
    reason_ = reason;
  }

  void worked() {
    const std::lock_guard lock(mutex_);
    if (reason_.empty()) return;
    reason_.clear();
    degraded_.set(0);
    log_.info("cache_node", "disk_recovered");
  }

  /// The reason why writes fail; empty while they succeed.
  std::string reason() const {
    const std::lock_guard lock(mutex_);
    return reason_;
  }

 private:
  base::Log& log_;
  base::Counter failures_;
  base::Gauge degraded_;
  mutable std::mutex mutex_;
  std::string reason_;
};

}  // namespace tribune::cache_node
