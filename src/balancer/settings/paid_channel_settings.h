#pragma once
// The section "balancer.paid_channels": how fast a session ends whose account may not watch any more.

#include <chrono>

#include "config/section.h"

namespace tribune::balancer {

/// Values; immutable once read. With the defaults a session ends within a minute.
struct PaidChannelSettings {
  std::chrono::milliseconds check_period{10'000};
  std::chrono::milliseconds await_renewal{20'000};
  std::chrono::milliseconds ending_time{30'000};
};

const config::Section<PaidChannelSettings>& paid_channels_section();

}  // namespace tribune::balancer
