#pragma once
// Reports the state of the process to systemd, or to whatever set NOTIFY_SOCKET, and answers its watchdog
// (sd_notify(3), sd_watchdog_enabled(3), systemd.service(5) Type=notify). Without such a supervisor every call does
// nothing.

#include <chrono>
#include <optional>

namespace tribune::runtime {

/// Owned by the main thread.
class Supervisor {
 public:
  Supervisor();

  /// The process serves requests: after the start, and again after a reload, whether it was taken or refused.
  void ready();
  void reloading();
  void stopping();

  /// How often is_alive() has to be called: half of the time after which the supervisor restarts the process. Nullopt:
  /// there is no watchdog.
  std::optional<std::chrono::milliseconds> watchdog_period() const { return watchdog_period_; }
  void is_alive();

 private:
  std::optional<std::chrono::milliseconds> watchdog_period_;
};

}  // namespace tribune::runtime
