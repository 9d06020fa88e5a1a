#pragma once
// Checks whether all event loops still run posted calls, which is the condition for notifying the watchdog.

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

namespace tribune::runtime {

/// Owned by one thread.
class LoopWatch {
 public:
  /// Runs a function on one loop, from any thread. There is one per loop.
  using Post = std::function<void(std::function<void()>)>;
  explicit LoopWatch(std::vector<Post> loops) : loops_(std::move(loops)) {}

  /// True at the first call, and when every loop has run the call that was posted last; then it posts the next one.
  /// While a loop hangs, nothing more is posted to any loop.
  bool all_answered() {
    if (answered_ && answered_->load() != loops_.size()) return false;
    answered_ = std::make_shared<std::atomic<std::size_t>>(0);
    for (const auto& post : loops_) post([answered = answered_] { ++*answered; });
    return true;
  }

 private:
  std::vector<Post> loops_;
  std::shared_ptr<std::atomic<std::size_t>> answered_;  // loops that have run the last posted call
};

}  // namespace tribune::runtime
