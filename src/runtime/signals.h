#pragma once
// The events for which the main thread waits: signals of the operator, and wake-ups by workers.

#include <chrono>
#include <optional>

namespace tribune::runtime {

/// The constructor blocks the signals in this thread and in threads started afterwards, so construct it before any
/// other thread. Owned by the main thread, apart from wake().
class Signals {
 public:
  Signals();
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  /// `unused`: a signal without a meaning here, whose default action would end the process.
  enum class Kind { reload, stop, unused, woken, timeout };
  struct Event {
    Kind kind;
    int signal = 0;  // of reload, stop and unused
  };

  /// Blocks until an event occurs, or until `time` has passed.
  Event wait(std::optional<std::chrono::milliseconds> time);

  /// Makes wait() return `woken`. Any thread.
  void wake();

 private:
  int signal_fd_;
  int wake_fd_;
};

/// Ignores SIGPIPE: a write to a closed connection then returns an error and does not end the process.
void ignore_broken_pipes();

/// Raises RLIMIT_NOFILE to the hard limit.
void raise_descriptor_limit();

}  // namespace tribune::runtime
