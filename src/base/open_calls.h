#pragma once
// Counts the calls whose callbacks have not run yet, so that their owner can wait for them before it ends.

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

namespace tribune::base {

/// Any thread; locks inside.
class OpenCalls {
 public:
  /// A callback that calls `done`. The call is open until then, or until every copy of the callback is gone.
  template <class Answer>
  std::function<void(Answer)> counted(std::function<void(Answer)> done) {
    return [call = std::make_shared<Call>(state_), done = std::move(done)](Answer answer) {
      done(std::move(answer));
      call->end();
    };
  }

  void wait() {
    std::unique_lock lock(state_->mutex);
    state_->all_closed.wait(lock, [this] { return state_->open == 0; });
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable all_closed;
    std::size_t open = 0;
  };
  class Call {
   public:
    explicit Call(std::shared_ptr<State> state) : state_(std::move(state)) {
      const std::lock_guard lock(state_->mutex);
      ++state_->open;
    }
    ~Call() { end(); }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    void end() {
      const std::lock_guard lock(state_->mutex);
      if (!std::exchange(is_open_, false)) return;
      if (--state_->open == 0) state_->all_closed.notify_all();
    }

   private:
    const std::shared_ptr<State> state_;
    bool is_open_ = true;
  };

  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace tribune::base
