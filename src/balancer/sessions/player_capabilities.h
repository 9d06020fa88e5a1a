#pragma once
// What players bear: whether a listed segment may get another URI when its node is gone. Pure functions.

#include <string>
#include <string_view>
#include <vector>

#include "contracts/event.h"

namespace tribune::balancer {

/// The default of `direct_players`: VHS, where its app says so (a browser does not say which player runs in it). media3
/// and ExoPlayer before it take a rewritten segment, too, but try one that they began to load at its first URI to the
/// end, which for a dead node is a playback error.
std::vector<std::string> default_direct_players();

/// Whether the User-Agent holds one of the parts, without regard to case.
bool takes_rewriting(std::string_view user_agent, const std::vector<std::string>& direct_players);

/// Whether a listed segment may get another URI for this player when its node is gone: the players with direct links,
/// and media3.
bool bears_rewriting(std::string_view user_agent, const std::vector<std::string>& direct_players);

/// The mode that a session keeps to its end: `automatic` is resolved by the player.
contracts::LinksMode links_for(contracts::LinksMode channel, std::string_view user_agent,
                               const std::vector<std::string>& direct_players);

}  // namespace tribune::balancer
