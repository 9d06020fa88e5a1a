#include "balancer/settings/steering_settings.h"

namespace tribune::balancer {

using namespace std::chrono_literals;

const config::Section<SteeringSettings>& steering_section() {
  static const auto section =
      config::Section<SteeringSettings>("steering", "HLS Content Steering, for channels that have steering enabled.")
          .duration("ttl", &SteeringSettings::ttl, {1s, 1h},
                    "Interval at which a player requests the steering manifest (TTL), in whole seconds.")
          .duration(
              "ttl_under_pressure", &SteeringSettings::ttl_under_pressure, {1s, 1h},
              "The TTL while the viewer's best group is closed (drained, down, overloaded, full), while at most half "
              "of the nodes of that group take viewers, or while the player is on another pathway than the best.")
          .whole("most_pathways", &SteeringSettings::most_pathways, {1, 8},
                 "Maximum number of groups of cache nodes that a multivariant playlist lists as pathways; the best "
                 "groups of the viewer are listed.");
  return section;
}

}  // namespace tribune::balancer
