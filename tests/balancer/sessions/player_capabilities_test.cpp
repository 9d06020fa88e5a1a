#include "balancer/sessions/player_capabilities.h"

#include <doctest/doctest.h>

using namespace tribune;
using namespace tribune::balancer;
using contracts::LinksMode;

namespace {

contracts::Channel channel_with(LinksMode links, contracts::ChannelAccess access = contracts::ChannelAccess::free) {
  contracts::Channel channel;
  channel.links = links;
  channel.access = access;
  return channel;
}

}  // namespace

TEST_CASE("the mode auto is direct for players that retry a listed segment at its new URI, redirect for all others") {
  const auto players = default_direct_players();
  for (const std::string agent : {"videojs-vhs", "VideoJS-VHS/3"})
    CHECK(links_for(channel_with(LinksMode::automatic), agent, players) == LinksMode::direct);
  for (const std::string agent : {"Demo/1.0 (Linux;Android 14) AndroidXMedia3/1.4.1", "app (Linux) ExoPlayerLib/2.19.1",
                                  "", "Mozilla/5.0 (X11; Linux x86_64) Chrome/120.0 Safari/537.36",
                                  "AppleCoreMedia/1.0.0.21A329 (iPhone)", "curl/7.88", "Lavf/59"})
    CHECK(links_for(channel_with(LinksMode::automatic), agent, players) == LinksMode::redirect);
}

TEST_CASE("the player does not change a channel's fixed mode") {
  CHECK(links_for(channel_with(LinksMode::direct), "curl", default_direct_players()) == LinksMode::direct);
  CHECK(links_for(channel_with(LinksMode::redirect), "ExoPlayer", default_direct_players()) == LinksMode::redirect);
}

TEST_CASE("a paid channel has redirect links, unless its mode is direct") {
  const auto paid = contracts::ChannelAccess::paid;
  const auto players = default_direct_players();
  CHECK(links_for(channel_with(LinksMode::automatic, paid), "videojs-vhs", players) == LinksMode::redirect);
  CHECK(links_for(channel_with(LinksMode::redirect, paid), "videojs-vhs", players) == LinksMode::redirect);
  CHECK(links_for(channel_with(LinksMode::direct, paid), "curl", players) == LinksMode::direct);
}

TEST_CASE("a listed segment of a failed node may get another URI for players with direct links, and for media3") {
  for (const std::string agent : {"VideoJS-VHS/3", "Demo/1.0 AndroidXMedia3/1.4.1", "exoplayer"})
    CHECK(accepts_rewriting(agent, default_direct_players()));
  CHECK(accepts_rewriting("MyPlayer/1", {"myplayer"}));
  CHECK_FALSE(accepts_rewriting("Mozilla/5.0 Chrome/120", default_direct_players()));
}

TEST_CASE("the list of direct players is configurable") {
  CHECK(links_for(channel_with(LinksMode::automatic), "MyPlayer/1", {"myplayer"}) == LinksMode::direct);
  CHECK(links_for(channel_with(LinksMode::automatic), "ExoPlayer", {}) == LinksMode::redirect);
  CHECK_FALSE(is_direct_player("anything", {""}));
}
