#pragma once
// A condition that becomes true on another thread. Any thread; locks inside.

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace tribune::test {

/// Waiting has a deadline and does not poll.
class Eventually {
 public:
  void changed() {
    { const std::lock_guard lock(mutex_); }
    wake_.notify_all();
  }
  template <class F>
  bool wait(F is_true) {
    std::unique_lock lock(mutex_);
    return wake_.wait_for(lock, std::chrono::seconds(20), is_true);
  }
  std::mutex& mutex() { return mutex_; }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
};

}  // namespace tribune::test
