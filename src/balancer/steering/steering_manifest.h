#pragma once
// The steering manifest (draft-pantos-content-steering section 4): which pathway a player should take, in which order,
// and when to ask again. Values and pure functions.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "balancer/routing/node_selection.h"
#include "balancer/settings/steering_settings.h"

namespace tribune::balancer {

/// What a player says when it asks. What is not well formed counts as unsaid: no value of a query ends a player's
/// steering.
struct SteeringQuestion {
  std::string session;                         // a session's token or a ticket; empty: none
  std::vector<std::string> listed;             // the pathways of its multivariant playlist; empty: it does not say
  std::string pathway;                         // _HLS_pathway: where it is; empty: it does not say
  std::optional<std::int64_t> throughput_bps;  // _HLS_throughput
};

/// _HLS_pathway may stand in quotes, as the draft has it, or without, as hls.js and Shaka write it.
SteeringQuestion read_steering_question(std::string_view query);

/// The pathways for a viewer, the best first: open groups by rank, the origin if it is allowed, then closed groups.
std::vector<std::string> order_of(const std::vector<GroupStanding>&, bool may_use_origin);

/// Whether players should ask again soon: the best group is closed or strained, or the player is on another pathway
/// than the first.
bool is_under_pressure(const std::vector<GroupStanding>&, const std::vector<std::string>& order,
                       std::string_view pathway);

struct SteeringManifest {
  std::chrono::seconds ttl{0};
  std::string reload_uri;  // empty: as it was asked
  std::vector<std::string> priority;
  std::vector<std::string> clones;
  std::string base;  // what they are clones of
};

/// The best groups for a playlist to list, in the order of their ranks: at most `most`, among them an open one if there
/// is any.
std::vector<GroupStanding> best_of(std::vector<GroupStanding>, std::size_t most);

/// A pathway that the player's playlist does not list becomes a clone of one that it lists, if it is better than all of
/// those. What the playlist lists and the viewer should not take comes last, so that nothing is ever left without a
/// pathway.
SteeringManifest manifest_for(const SteeringQuestion&, std::vector<std::string> order);

/// JSON.
std::string to_json(const SteeringManifest&);

/// The query of SERVER-URI and RELOAD-URI.
std::string steering_query(std::string_view session, const std::vector<std::string>& listed);

}  // namespace tribune::balancer
