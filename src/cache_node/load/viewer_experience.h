#pragma once
// The results of viewers' requests and of fills in a sliding window, from counters that only grow.

#include <chrono>
#include <cstdint>
#include <deque>

#include "base/clock.h"
#include "base/metrics.h"
#include "cache_node/load/fill_metrics.h"
#include "cache_node/load/node_metrics.h"
#include "contracts/heartbeat.h"

namespace tribune::cache_node {

/// The counters since the start of the process.
contracts::NodeExperience experience_so_far(const NodeMetrics& of_viewers, const FillMetrics&);

/// Owned by one worker.
class ViewerExperienceWindow {
 public:
  static constexpr std::chrono::seconds kLength{10};

  /// Adds a sample of the counters, and returns their growth within the window. Call it every second or so.
  contracts::NodeExperience advance(base::SteadyTime now, const contracts::NodeExperience& so_far);

 private:
  struct Sample {
    base::SteadyTime at;
    contracts::NodeExperience counted;
  };
  std::deque<Sample>
      samples_;  // the oldest first: one from before the window, then those within it; at most kMaxSamples
};

/// The window's shares as gauges.
struct ViewerExperienceGauges {
  explicit ViewerExperienceGauges(base::Metrics&);
  void show(const contracts::NodeExperience&);

  base::Gauge viewers, origin, nodes;
};

}  // namespace tribune::cache_node
