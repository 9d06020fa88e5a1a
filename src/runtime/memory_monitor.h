#pragma once
// Reads the process's memory use every 100 ms, reports it in the log and the metrics, and notifies components that can
// free memory.

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>

#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"

namespace tribune::runtime {

/// Runs its own thread from construction to destruction.
class MemoryMonitor {
 public:
  MemoryMonitor(base::Log&, base::Metrics&);
  ~MemoryMonitor();
  MemoryMonitor(const MemoryMonitor&) = delete;
  MemoryMonitor& operator=(const MemoryMonitor&) = delete;

 private:
  void run();
  void check();
  void log_level(base::MemoryLevel, const base::MemoryUse*);

  base::Log& log_;
  base::Gauge bound_, left_, level_gauge_;
  base::Counter failures_, given_up_;
  base::MemoryLevel logged_level_ = base::MemoryLevel::plenty;  // the level logged last; used by the thread only
  std::unique_ptr<char[]> spare_;  // freed at level "spent", so that the thread itself can still allocate
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;     // the last member, because it uses the others
};

std::string_view to_string(base::MemoryLevel);

}  // namespace tribune::runtime
