#pragma once
// The running tasks of one worker, such as fills and deliveries. A task reports its end, and a later call of the loop
// destroys it, so that it is never destroyed inside its own functions.

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>

#include "net/event_loop.h"

namespace tribune::runtime {

/// Owned by one worker.
template <class Member>
class TaskSet {
 public:
  explicit TaskSet(net::EventLoop& loop) : loop_(loop) {}

  /// `make` receives the function that the task calls when it has ended, and returns the task.
  template <class Make>
  Member& add(Make make) {
    const auto number = next_++;
    auto member = make([this, number] { loop_.post([this, number] { members_.erase(number); }); });
    return *(members_[number] = std::move(member));
  }
  std::size_t size() const { return members_.size(); }

 private:
  net::EventLoop& loop_;
  std::uint64_t next_ = 0;
  std::unordered_map<std::uint64_t, std::unique_ptr<Member>> members_;
};

}  // namespace tribune::runtime
