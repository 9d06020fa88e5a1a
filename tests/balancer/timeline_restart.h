#pragma once
// A timeline after a restart of the process.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "balancer/timeline/timeline.h"
#include "base/clock.h"

namespace tribune::test {

/// Loads what `timeline` saves into `next`. Saving it again changes nothing.
inline void restart(const balancer::Timeline& timeline, balancer::Timeline& next, const base::Clock& clock,
                    const std::vector<std::string>& tracks) {
  const auto now = clock.steady_now();
  const auto wall = clock.wall_now();
  const auto channel = timeline.save_channel(now, wall);
  next.load_channel(channel, now, wall);
  CHECK(next.save_channel(now, wall) == channel);
  for (const auto& track : tracks) {
    const auto record = timeline.save_track(track, now, wall);
    next.load_track(track, record, now, wall);
    CHECK(next.save_track(track, now, wall) == record);
  }
}

}  // namespace tribune::test
