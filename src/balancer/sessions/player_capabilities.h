#pragma once
// Capabilities of players: whether a listed segment may get another URI when its node fails. Pure functions.

#include <string>
#include <string_view>
#include <vector>

#include "contracts/event.h"

namespace tribune::balancer {

/// The default of `direct_players`: VHS, where its app states it, because a browser does not state which player runs in
/// it. media3 and ExoPlayer also accept a rewritten segment, but they retry a segment whose load has begun only at its
/// first URI, which ends in a playback error when the node has failed.
std::vector<std::string> default_direct_players();

/// Whether the User-Agent contains one of the parts, ignoring case.
bool is_direct_player(std::string_view user_agent, const std::vector<std::string>& direct_players);

/// Whether a listed segment may get another URI for this player when its node fails: players with direct links, and
/// media3.
bool accepts_rewriting(std::string_view user_agent, const std::vector<std::string>& direct_players);

/// The links mode of a session, which it keeps to its end. `automatic` depends on the player; for a paid channel it is
/// redirect.
contracts::LinksMode links_for(const contracts::Channel&, std::string_view user_agent,
                               const std::vector<std::string>& direct_players);

}  // namespace tribune::balancer
