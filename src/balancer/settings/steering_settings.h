#pragma once
// The section "balancer.steering": the steering of players.

#include <chrono>
#include <cstdint>

#include "config/section.h"

namespace tribune::balancer {

/// Values; immutable once read.
struct SteeringSettings {
  std::chrono::milliseconds ttl{60'000};
  std::chrono::milliseconds ttl_under_pressure{5'000};
  std::int64_t most_pathways = 4;
};

const config::Section<SteeringSettings>& steering_section();

}  // namespace tribune::balancer
