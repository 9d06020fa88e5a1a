#pragma once
// Reports the state of the process to systemd, or to another supervisor that sets NOTIFY_SOCKET, and notifies its
// watchdog (sd_notify(3), sd_watchdog_enabled(3), systemd.service(5) Type=notify). Without a supervisor all calls have
// no effect.

#include <chrono>
#include <optional>

namespace tribune::runtime {

/// Owned by the main thread.
class Supervisor {
 public:
  Supervisor();

  /// Reports that the process serves requests: after the start, and after each reload, applied or rejected.
  void ready();
  void reloading();
  void stopping();

  /// The period of calls to is_alive(): half of the time after which the supervisor restarts the process. nullopt
  /// without a watchdog.
  std::optional<std::chrono::milliseconds> watchdog_period() const { return watchdog_period_; }
  void is_alive();

 private:
  std::optional<std::chrono::milliseconds> watchdog_period_;
};

}  // namespace tribune::runtime
