#include "balancer/settings/steering_settings.h"

namespace tribune::balancer {

using namespace std::chrono_literals;

const config::Section<SteeringSettings>& steering_section() {
  static const auto section =
      config::Section<SteeringSettings>("steering", "HLS Content Steering, for channels that have it on.")
          .duration("ttl", &SteeringSettings::ttl, {1s, 1h},
                    "How often a player asks for the steering manifest; whole seconds.")
          .duration("ttl_under_pressure", &SteeringSettings::ttl_under_pressure, {1s, 1h},
                    "The same while the viewer's best group is closed (drained, down, overloaded, full) or at most "
                    "half of its nodes take viewers, and while "
                    "the player is on another pathway than the best.")
          .whole("most_pathways", &SteeringSettings::most_pathways, {1, 8},
                 "Groups of cache nodes that a multivariant playlist names; the viewer's best ones.");
  return section;
}

}  // namespace tribune::balancer
