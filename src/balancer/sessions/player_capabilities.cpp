#include "balancer/sessions/player_capabilities.h"

#include <algorithm>

namespace tribune::balancer {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::vector<std::string> default_direct_players() { return {"videojs-vhs"}; }

bool is_direct_player(std::string_view user_agent, const std::vector<std::string>& direct_players) {
  return std::any_of(direct_players.begin(), direct_players.end(), [&](const std::string& part) {
    const auto found = std::search(user_agent.begin(), user_agent.end(), part.begin(), part.end(),
                                   [](char a, char b) { return lower(a) == lower(b); });
    return !part.empty() && found != user_agent.end();
  });
}

bool accepts_rewriting(std::string_view user_agent, const std::vector<std::string>& direct_players) {
  static const std::vector<std::string> media3{"AndroidXMedia3", "ExoPlayer"};
  return is_direct_player(user_agent, direct_players) || is_direct_player(user_agent, media3);
}

contracts::LinksMode links_for(const contracts::Channel& channel, std::string_view user_agent,
                               const std::vector<std::string>& direct_players) {
  if (channel.checks_segments()) return contracts::LinksMode::redirect;
  if (channel.links != contracts::LinksMode::automatic) return channel.links;
  return is_direct_player(user_agent, direct_players) ? contracts::LinksMode::direct : contracts::LinksMode::redirect;
}

}  // namespace tribune::balancer
