#pragma once
// One worker's event loop. libevent stays inside event_loop.cpp and the files that serve and fetch.

#include <chrono>
#include <functional>
#include <memory>

struct event_base;

namespace tribune::net {

/// A pending call; destroying or assigning over it cancels. Owned by one worker.
class Timer {
 public:
  Timer();
  ~Timer();
  Timer(Timer&&) noexcept;
  Timer& operator=(Timer&&) noexcept;
  void cancel();
  bool pending() const;

 private:
  friend class EventLoop;
  struct Inner;
  std::unique_ptr<Inner> inner_;
};

/// Owned by one worker, apart from post() and stop().
class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Runs until stop(). Posted calls that are still queued then run before it returns.
  void run();
  /// Any thread.
  void stop();
  /// Runs `call` on the loop's thread soon, in the order posted. Any thread.
  void post(std::function<void()> call);
  /// One call after `delay` (monotonic time).
  Timer after(std::chrono::milliseconds delay, std::function<void()> call);
  /// A call every `period` until the timer is destroyed.
  Timer every(std::chrono::milliseconds period, std::function<void()> call);
  bool is_on_loop_thread() const;

  /// For the other files of net/ only.
  event_base* base();

 private:
  struct Inner;
  std::unique_ptr<Inner> inner_;
};

}  // namespace tribune::net
