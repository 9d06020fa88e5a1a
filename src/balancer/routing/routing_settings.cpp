#include "balancer/routing/routing_settings.h"

namespace tribune::balancer {
namespace {

using namespace std::chrono_literals;

const config::Section<GroupPlace>& place_section() {
  static const auto section =
      config::Section<GroupPlace>("places", "Where a group of cache nodes stands.")
          .text("group", &GroupPlace::group, "The group, or the id of a node that has none.", config::check_id,
                "1 to 64 of a-z 0-9 . _ -")
          .required()
          .sample("\"city\"")
          .real("latitude", &GroupPlace::latitude, {-90, 90}, "In degrees, north is positive.")
          .real("longitude", &GroupPlace::longitude, {-180, 180}, "In degrees, east is positive.");
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
                "The file of coverage zones: which group serves the clients of which networks. Read again whenever it "
                "changes; a broken one leaves the last "
                "good one in force. Empty: none.")
          .text("geography_file", &RoutingSettings::geography_file,
                "A MaxMind database (.mmdb) with places of addresses. Read again whenever it changes. Empty: none.")
          .duration("poll", &RoutingSettings::poll, {50ms, 1h}, "How often both files are looked at.")
          .sections("places", &RoutingSettings::places, place_section(), "Where the groups stand, for the nearest one.")
          .texts("default_groups", &RoutingSettings::default_groups,
                 "The groups for clients that nothing else decides on, in this order. Empty: all groups that no zone "
                 "names, in the order of the nodes.",
                 config::check_id, "groups, or ids of nodes that have none")
          .duration("receipt_lifetime", &RoutingSettings::receipt_lifetime, {1s, 24h},
                    "How long a receipt of a cache node's /ping is believed.")
          .duration("gone_lifetime", &RoutingSettings::gone_lifetime, {1s, 1h},
                    "How long a viewer is kept from a node that the client reported gone.")
          .duration("probe_period", &RoutingSettings::probe_period, {200ms, 1h},
                    "How often the balancer asks each node's /ping, as a second opinion.")
          .duration("ramp", &RoutingSettings::ramp, {0ms, 1h},
                    "In this time a new or returning node comes to its full share of new viewers.")
          .duration("drain_time", &RoutingSettings::drain_time, {0ms, 24h},
                    "Within this time a drained node loses all its viewers, a few at a time.")
          .real("load_factor", &RoutingSettings::load_factor, {1, 10},
                "A node takes no more than this times its share of its group's viewers.")
          .real("overload", &RoutingSettings::overload, {0.1, 10},
                "A node that sends so much of its capacity takes no new viewers.")
          .real("return_below", &RoutingSettings::return_below, {0.1, 10},
                "A viewer comes back to a better node once that sends less than this of its capacity.")
          .whole("balance_from", &RoutingSettings::balance_from, {0, 1'000'000},
                 "A node with fewer viewers is not passed over for its share.");
  return section;
}

}  // namespace tribune::balancer
