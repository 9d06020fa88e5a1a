#pragma once
// The section "routing" of the section "balancer".

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "balancer/routing/node_selection.h"
#include "config/section.h"

namespace tribune::balancer {

/// The location of a group.
struct GroupPlace {
  std::string group;
  double latitude = 0;
  double longitude = 0;
};

/// Values; immutable once read.
struct RoutingSettings {
  std::string zones_file;
  std::string geography_file;
  std::chrono::milliseconds poll{1'000};
  std::vector<GroupPlace> places;
  std::vector<std::string> default_groups;
  std::chrono::milliseconds receipt_lifetime{300'000};
  std::chrono::milliseconds gone_lifetime{60'000};
  std::chrono::milliseconds probe_period{2'000};
  std::chrono::milliseconds ramp = RoutingRules{}.ramp;
  std::chrono::milliseconds drain_time = RoutingRules{}.drain_time;
  double load_factor = RoutingRules{}.load_factor;
  double overload = RoutingRules{}.overload;
  double return_below = RoutingRules{}.return_below;
  std::int64_t balance_from = RoutingRules{}.balance_from;

  RoutingRules rules() const;
};

const config::Section<RoutingSettings>& routing_section();

}  // namespace tribune::balancer
