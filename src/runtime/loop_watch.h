#pragma once
// Whether all event loops still run what is posted to them: the condition for answering a watchdog.

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

namespace tribune::runtime {

/// Owned by one thread.
class LoopWatch {
 public:
  /// Runs a function on one loop, from any thread. One for each loop.
  using Post = std::function<void(std::function<void()>)>;
  explicit LoopWatch(std::vector<Post> loops) : loops_(std::move(loops)) {}

  /// True when every loop has run what the previous call posted (always at the first call). Then it posts again; a loop
  /// that hangs gets nothing more until it has answered.
  bool all_answered() {
    if (answered_ && answered_->load() != loops_.size()) return false;
    answered_ = std::make_shared<std::atomic<std::size_t>>(0);
    for (const auto& post : loops_) post([answered = answered_] { ++*answered; });
    return true;
  }

 private:
  std::vector<Post> loops_;
  std::shared_ptr<std::atomic<std::size_t>> answered_;  // of the last round
};

}  // namespace tribune::runtime
