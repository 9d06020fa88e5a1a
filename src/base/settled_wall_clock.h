#pragma once
// Converts wall times to steady times. A step of the wall clock counts once it has lasted: a correction by time
// synchronisation moves promises that name a wall time, and a step that is taken back moves nothing.

#include <chrono>
#include <optional>

#include "base/clock.h"

namespace tribune::base {

/// Not synchronised: the owner locks.
class SettledWallClock {
 public:
  static constexpr std::chrono::seconds kSettled{10};  // how long a step must last
  static constexpr std::chrono::milliseconds kTolerance{500};

  explicit SettledWallClock(const Clock& clock) : clock_(clock), offset_(offset_now()) {}

  /// Call it about every second. True when the wall clock differs from what when() assumed so far, and has for
  /// kSettled; when() has other results from here on.
  bool observe() {
    const auto now = offset_now();
    if (is_near(now, offset_)) {
      step_.reset();
      return false;
    }
    const auto at = clock_.steady_now();
    if (!step_ || !is_near(now, step_->offset)) step_ = Step{now, at};
    if (at - step_->seen < kSettled) return false;
    offset_ = now;
    step_.reset();
    return true;
  }

  SteadyTime when(WallTime wall) const {
    return SteadyTime{std::chrono::duration_cast<SteadyTime::duration>(wall.time_since_epoch()) - offset_};
  }

 private:
  using Offset = SteadyTime::duration;  // wall time - steady time
  struct Step {
    Offset offset;
    SteadyTime seen;
  };
  Offset offset_now() const {
    return std::chrono::duration_cast<Offset>(clock_.wall_now().time_since_epoch()) -
           clock_.steady_now().time_since_epoch();
  }
  static bool is_near(Offset a, Offset b) { return a - b <= kTolerance && b - a <= kTolerance; }

  const Clock& clock_;
  Offset offset_;
  std::optional<Step> step_;
};

}  // namespace tribune::base
