#pragma once
// What tells the main thread to do something: the operator's signals, and a worker that has finished what it was asked.

#include <chrono>
#include <optional>

namespace tribune::runtime {

/// Signals are blocked from the construction on, in this thread and in those that it starts afterwards: construct it
/// before any other thread. Owned by the main thread, apart from wake().
class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  /// `unused`: a signal that means nothing here and would end the process if it were left to itself.
  enum class Kind { reload, stop, unused, woken, timeout };
  struct Event {
    Kind kind;
    int signal = 0;  // of reload, stop and unused
  };

  /// Blocks until something comes or the time is over; without a time, until something comes.
  Event wait(std::optional<std::chrono::milliseconds> time);

  /// Makes wait() return `woken`. Any thread.
  void wake();

 private:
  int signal_fd_;
  int wake_fd_;
};

/// A client that leaves must cost an error code, never the process.
void ignore_broken_pipes();

/// Raises RLIMIT_NOFILE to the hard limit.
void raise_descriptor_limit();

}  // namespace tribune::runtime
