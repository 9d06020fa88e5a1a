#pragma once
// Looks at the process's memory, says in the log and the metrics how it stands, and tells those who can shrink.

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>

#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"

namespace tribune::runtime {

/// Has a thread of its own, from construction to destruction.
class MemoryMonitor {
 public:
  MemoryMonitor(base::Log&, base::Metrics&);
  ~MemoryMonitor();
  MemoryMonitor(const MemoryMonitor&) = delete;
  MemoryMonitor& operator=(const MemoryMonitor&) = delete;

 private:
  void run();
  void turn();
  void say(base::MemoryLevel, const base::MemoryUse*);

  base::Log& log_;
  base::Gauge bound_, left_, level_gauge_;
  base::Counter failures_, given_up_;
  base::MemoryLevel said_ = base::MemoryLevel::plenty;  // of the thread
  std::unique_ptr<char[]> spare_;                       // of the thread: room for its own words when there is no other
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;     // last: it uses all of the above
};

/// One word.
std::string_view to_string(base::MemoryLevel);

}  // namespace tribune::runtime
