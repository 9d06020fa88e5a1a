#pragma once
// What all workers' servers of one listener know together: how many connections stand, how many each address has, and
// who has been idle longest. Any thread; locks inside.

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
  /// One worker's share: since when its longest idle connection has been idle, and how to close that one.
  class Shelf {
   public:
    Shelf(EventLoop& loop, std::function<void()> evict) : loop_(loop), evict_(std::move(evict)) {}
    void none_idle() { idle_since_ = kNever; }
    void longest_idle_since(base::SteadyTime t) { idle_since_ = t.time_since_epoch().count(); }

   private:
    friend class ConnectionLimits;
    static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
    EventLoop& loop_;
    std::function<void()> evict_;  // on the shelf's loop only
    std::atomic<std::int64_t> idle_since_ = kNever;
  };

  /// A worker's server comes and, before its loop ends, goes.
  std::shared_ptr<Shelf> join(EventLoop& loop, std::function<void()> evict);
  void leave(const std::shared_ptr<Shelf>&);

  /// One connection more; how many there are now.
  std::int64_t open() { return ++total_; }
  void close() { --total_; }
  std::int64_t total() const { return total_; }

  /// Counts one for the address (its /64 for IPv6), unless it has `most` already.
  bool enter(const IpAddress&, std::int64_t most);
  void leave(const IpAddress&);

  /// Asks the worker with the longest idle connection to close it. At once when that is `own`; false when all are busy.
  bool evict_longest_idle(const std::shared_ptr<Shelf>& own);

  /// True for the first who asks for this listening address.
  bool claim(const std::string& address);

 private:
  struct Part {
    std::mutex mutex;
    std::unordered_map<IpAddress, std::int64_t, IpAddressHash> count;  // guarded by mutex
  };

  std::atomic<std::int64_t> total_ = 0;
  base::Sharded<Part, 16> parts_;

  std::mutex mutex_;
  std::vector<std::shared_ptr<Shelf>> shelves_;  // guarded by mutex_
  std::unordered_set<std::string> claimed_;      // guarded by mutex_
};

}  // namespace tribune::net
