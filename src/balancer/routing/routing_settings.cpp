#include "balancer/routing/routing_settings.h"

namespace tribune::balancer {
namespace {

using namespace std::chrono_literals;

const config::Section<GroupPlace>& place_section() {
  static const auto section =
      config::Section<GroupPlace>("places", "The location of a group of cache nodes.")
          .text("group", &GroupPlace::group, "The group, or the id of a node that belongs to no group.",
                config::check_id, "1 to 64 of a-z 0-9 . _ -")
          .required()
          .sample("\"city\"")
          .real("latitude", &GroupPlace::latitude, {-90, 90}, "Latitude in degrees; north is positive.")
          .real("longitude", &GroupPlace::longitude, {-180, 180}, "Longitude in degrees; east is positive.");
  return section;
}

}  // namespace

RoutingRules RoutingSettings::rules() const {
  RoutingRules made;
  made.default_groups = default_groups;
  for (const auto& place : places) made.group_coordinates[place.group] = {place.latitude, place.longitude};
  made.load_factor = load_factor;
  made.overload = overload;
  made.return_below = return_below;
  made.balance_from = balance_from;
  made.ramp = ramp;
  made.drain_time = drain_time;
  return made;
}

const config::Section<RoutingSettings>& routing_section() {
  static const auto section =
      config::Section<RoutingSettings>("routing", "How the cache node of each viewer is chosen.")
          .text("zones_file", &RoutingSettings::zones_file,
                "File of coverage zones: which group serves the clients of which networks. It is read again whenever "
                "it changes; when the new content is invalid, the last valid content stays in use. Empty: no zones.")
          .text("geography_file", &RoutingSettings::geography_file,
                "MaxMind database (.mmdb) with the locations of addresses. It is read again whenever it changes. "
                "Empty: no locations.")
          .duration("poll", &RoutingSettings::poll, {50ms, 1h},
                    "Interval at which zones_file and geography_file are checked for changes.")
          .sections("places", &RoutingSettings::places, place_section(),
                    "Locations of the groups, from which the nearest group is determined.")
          .texts("default_groups", &RoutingSettings::default_groups,
                 "Groups for clients that no other rule assigns, in order of preference. Empty: all groups that no "
                 "zone names, in the order of the nodes.",
                 config::check_id, "groups, or ids of nodes that have none")
          .duration("receipt_lifetime", &RoutingSettings::receipt_lifetime, {1s, 24h},
                    "Time for which a receipt of a cache node's /ping is valid.")
          .duration(
              "gone_lifetime", &RoutingSettings::gone_lifetime, {1s, 1h},
              "Time for which a viewer is not sent to a node that the client reported as unreachable, and is sent to "
              "the "
              "origin, where the channel allows it, after a report that no cache answered. A later receipt ends both.")
          .duration("probe_period", &RoutingSettings::probe_period, {200ms, 1h},
                    "Interval at which the balancer itself requests /ping of each node, in addition to the reports of "
                    "clients and nodes.")
          .duration("ramp", &RoutingSettings::ramp, {0ms, 1h},
                    "Time over which the share of a new or returning node grows to its full share of new viewers.")
          .duration("drain_time", &RoutingSettings::drain_time, {0ms, 24h},
                    "Time within which a drained node loses all its viewers, a few at a time.")
          .real("load_factor", &RoutingSettings::load_factor, {1, 10},
                "A node takes no more viewers than this factor times its fair share of its group's viewers.")
          .real("overload", &RoutingSettings::overload, {0.1, 10},
                "A node that sends at least this fraction of its capacity is overloaded and takes no new viewers.")
          .real("return_below", &RoutingSettings::return_below, {0.1, 10},
                "A viewer returns to a better node once that node sends less than this fraction of its capacity.")
          .whole("balance_from", &RoutingSettings::balance_from, {0, 1'000'000},
                 "A node with fewer viewers than this is not skipped because of its share.");
  return section;
}

}  // namespace tribune::balancer
