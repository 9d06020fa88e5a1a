#include "runtime/supervisor.h"

#include <systemd/sd-daemon.h>
#include <time.h>

#include <cstdint>
#include <string>

#include <fmt/format.h>

namespace tribune::runtime {
namespace {

constexpr int kKeepEnvironment = 0;  // SIGHUP and SIGTERM are reported later

}  // namespace

Supervisor::Supervisor() {
  std::uint64_t limit_us = 0;
  if (::sd_watchdog_enabled(kKeepEnvironment, &limit_us) > 0)
    watchdog_period_ = std::chrono::floor<std::chrono::milliseconds>(std::chrono::microseconds(limit_us / 2));
}

void Supervisor::ready() { ::sd_notify(kKeepEnvironment, "READY=1"); }

void Supervisor::reloading() {
  // Type=notify-reload requires the time at which the reload began (sd_notify(3), RELOADING=1).
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const auto microseconds = std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
  ::sd_notify(kKeepEnvironment, fmt::format("RELOADING=1\nMONOTONIC_USEC={}", microseconds).c_str());
}

void Supervisor::stopping() { ::sd_notify(kKeepEnvironment, "STOPPING=1"); }
void Supervisor::is_alive() { ::sd_notify(kKeepEnvironment, "WATCHDOG=1"); }

}  // namespace tribune::runtime
