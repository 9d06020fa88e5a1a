#pragma once
// The state that the servers of one listener on all workers share: the number of open connections, the number per
// client address, and the connection that has been idle for longest. Any thread; locks inside.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "base/sharded.h"
#include "net/client_address.h"
#include "net/event_loop.h"

namespace tribune::net {

class ConnectionLimits {
 public:
  /// State that one worker publishes: the time since which its longest idle connection is idle, and the function that
  /// closes this connection.
  class WorkerEntry {
   public:
    WorkerEntry(EventLoop& loop, std::function<void()> evict) : loop_(loop), evict_(std::move(evict)) {}
    void set_none_idle() { idle_since_ = kNever; }
    void set_longest_idle_since(base::SteadyTime t) { idle_since_ = t.time_since_epoch().count(); }

   private:
    friend class ConnectionLimits;
    static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
    EventLoop& loop_;
    std::function<void()> evict_;  // on this worker's loop only
    std::atomic<std::int64_t> idle_since_ = kNever;
  };

  std::shared_ptr<WorkerEntry> add_worker(EventLoop& loop, std::function<void()> evict);
  /// Must be called before the worker's loop ends.
  void remove_worker(const std::shared_ptr<WorkerEntry>&);

  /// Adds a connection; returns how many there are now.
  std::int64_t open() { return ++total_; }
  void close() { --total_; }
  std::int64_t total() const { return total_; }

  /// Counts a connection of the address (its /64 for IPv6). False when it has `most` already.
  bool enter(const IpAddress&, std::int64_t most);
  void leave(const IpAddress&);

  /// Makes the worker with the longest idle connection close it: at once when that worker is `own`, else on its loop.
  /// False when no connection is idle.
  bool evict_longest_idle(const std::shared_ptr<WorkerEntry>& own);

  /// True for the first call with this listening address.
  bool claim(const std::string& address);

 private:
  struct Part {
    std::mutex mutex;
    std::unordered_map<IpAddress, std::int64_t, IpAddressHash> count;  // guarded by mutex
  };

  std::atomic<std::int64_t> total_ = 0;
  base::Sharded<Part, 16> parts_;

  std::mutex mutex_;
  std::vector<std::shared_ptr<WorkerEntry>> workers_;  // guarded by mutex_
  std::unordered_set<std::string> claimed_;            // guarded by mutex_
};

}  // namespace tribune::net
