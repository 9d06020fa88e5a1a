#pragma once
// Two clocks: a steady one for every timer and deadline, and a wall clock for times that leave the process (expiry in
// links, Date, logs). Clocks are passed in, so that tests can set them.

#include <atomic>
#include <chrono>
#include <cstdint>

namespace tribune::base {

using SteadyTime = std::chrono::steady_clock::time_point;
using WallTime = std::chrono::system_clock::time_point;

/// Any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual SteadyTime steady_now() const = 0;
  virtual WallTime wall_now() const = 0;
};

class SystemClock final : public Clock {
 public:
  SteadyTime steady_now() const override { return std::chrono::steady_clock::now(); }
  WallTime wall_now() const override { return std::chrono::system_clock::now(); }
};

/// For tests and simulations: advances only by advance() and step_wall(). The steady time begins at zero, as on a
/// machine that has just started. Any thread.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(WallTime start = WallTime{std::chrono::seconds{1'700'000'000}})
      : wall_(start.time_since_epoch()) {}
  SteadyTime steady_now() const override { return SteadyTime{steady_.load()}; }
  WallTime wall_now() const override { return WallTime{std::chrono::duration_cast<WallTime::duration>(wall_.load())}; }
  void advance(std::chrono::nanoseconds by) {
    steady_ = steady_.load() + by;
    wall_ = wall_.load() + by;
  }
  /// Steps the wall clock alone, as an NTP correction does.
  void step_wall(std::chrono::nanoseconds by) { wall_ = wall_.load() + by; }

 private:
  std::atomic<std::chrono::nanoseconds> steady_{std::chrono::nanoseconds{0}};
  std::atomic<std::chrono::nanoseconds> wall_;
};

/// Whole seconds since 1970-01-01 UTC.
inline std::int64_t unix_seconds(WallTime t) {
  return std::chrono::floor<std::chrono::seconds>(t).time_since_epoch().count();
}

}  // namespace tribune::base
