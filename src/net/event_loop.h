#pragma once
// One worker's event loop. Outside of net/ no file uses libevent.

#include <chrono>
#include <functional>
#include <memory>

struct event_base;

namespace tribune::net {

/// A pending call; destroying it or assigning to it cancels the call. Owned by one worker.
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
  /// Queues `call` to run on the loop's thread; calls run in the order posted. Any thread.
  void post(std::function<void()> call);
  /// Runs `call` once after `delay` (monotonic time).
  Timer after(std::chrono::milliseconds delay, std::function<void()> call);
  /// Runs `call` every `period` until the timer is destroyed.
  Timer every(std::chrono::milliseconds period, std::function<void()> call);
  bool is_on_loop_thread() const;

  /// For the other files of net/ only.
  event_base* base();

 private:
  struct Inner;
  std::unique_ptr<Inner> inner_;
};

}  // namespace tribune::net
