#pragma once
// The bytes of all running fills in RAM, and the bound on them. A chunk counts until its last holder releases it: the
// fill that has not written it yet, and the connections that have not sent it yet.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "net/event_loop.h"

namespace tribune::cache_node {

/// Any thread; locks inside. Shared with the chunks it counts, which may outlive their fill.
class FillMemory : public std::enable_shared_from_this<FillMemory> {
 public:
  explicit FillMemory(std::uint64_t bound_bytes) : bound_(bound_bytes) {}

  /// Returns a counted copy. It refuses no chunk: the last one may exceed the bound.
  base::SharedBytes chunk(std::string_view bytes);

  std::uint64_t used() const { return used_.load(std::memory_order_relaxed); }
  bool is_full() const { return used() >= bound_.load(std::memory_order_relaxed); }
  void set_bound(std::uint64_t bytes) { bound_ = bytes; }

  /// Posts `call` to the loop once usage has fallen to three quarters of the bound; immediately when it is already
  /// below that.
  void when_available(net::EventLoop& loop, std::function<void()> call);

 private:
  struct Counted;
  void release(std::uint64_t bytes);
  bool is_available() const { return used() <= bound_.load() / 4 * 3; }

  struct Waiting {
    net::EventLoop* loop;
    std::function<void()> call;
  };
  std::atomic<std::uint64_t> bound_;
  std::atomic<std::uint64_t> used_{0};
  std::atomic<std::uint64_t> allocated_{0};  // approximately, since the last check of the process's memory
  std::mutex mutex_;
  std::vector<Waiting> waiting_;  // guarded by mutex_
  std::atomic<bool> anyone_waits_{false};
};

}  // namespace tribune::cache_node
