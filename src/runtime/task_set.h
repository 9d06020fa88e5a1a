#pragma once
// What is under way on one worker: fills that run, viewers who read along. Each member says when it is over and is
// destroyed by a later call of the loop, so never inside its own.

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

  /// `make` gets the member's on_over.
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
