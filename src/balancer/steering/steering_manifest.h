#pragma once
// The steering manifest (draft-pantos-content-steering section 4): the order of the pathways for a player, and the time
// of its next request. Values and pure functions.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "balancer/routing/node_selection.h"
#include "balancer/settings/steering_settings.h"

namespace tribune::balancer {

/// The query of a steering request. Malformed values are treated as absent: no value ends a player's steering.
struct SteeringQuery {
  std::string session;                         // a session's token or a ticket; empty: none
  std::vector<std::string> listed;             // the pathways of its multivariant playlist; empty: not stated
  std::string pathway;                         // _HLS_pathway, the present pathway; empty: not stated
  std::optional<std::int64_t> throughput_bps;  // _HLS_throughput
};

/// _HLS_pathway may be quoted, as in the draft, or unquoted, as hls.js and Shaka write it.
SteeringQuery parse_steering_query(std::string_view query);

/// The pathways for a viewer, the best first: open groups by rank, the origin if it is allowed, then closed groups.
std::vector<std::string> order_of(const std::vector<GroupStanding>&, bool may_use_origin);

/// Whether players should repeat their request soon: the best group is closed or strained, or the player is on another
/// pathway than the first.
bool is_under_pressure(const std::vector<GroupStanding>&, const std::vector<std::string>& order,
                       std::string_view pathway);

struct SteeringManifest {
  std::chrono::seconds ttl{0};
  std::string reload_uri;  // empty: players repeat their request
  std::vector<std::string> priority;
  std::vector<std::string> clones;
  std::string base;  // the pathway of which they are clones
};

/// The best groups for a playlist, in the order of their ranks: at most `most`, with an open one if there is any.
std::vector<GroupStanding> best_of(std::vector<GroupStanding>, std::size_t most);

/// A pathway that the player's playlist does not list becomes a clone of one that it lists, if it is better than all of
/// those. Pathways that the playlist lists and the viewer should not use come last, so that every player keeps a
/// pathway.
SteeringManifest manifest_for(const SteeringQuery&, std::vector<std::string> order);

/// JSON.
std::string to_json(const SteeringManifest&);

/// The query of SERVER-URI and RELOAD-URI.
std::string steering_query(std::string_view session, const std::vector<std::string>& listed);

}  // namespace tribune::balancer
