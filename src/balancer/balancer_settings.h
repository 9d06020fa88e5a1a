#pragma once
// The section "balancer" of a configuration.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "balancer/nodes/node_registry.h"
#include "balancer/routing/routing_settings.h"
#include "balancer/sessions/player_capabilities.h"
#include "balancer/settings/paid_channel_settings.h"
#include "balancer/settings/steering_settings.h"
#include "balancer/sources/rendered_playlists.h"
#include "balancer/sources/sources.h"
#include "config/section.h"
#include "config/settings.h"

namespace tribune::balancer {

/// The settings of source fetches; a flat form of SourceSettings.
struct SourceOriginSettings {
  std::chrono::milliseconds connect_timeout = SourceSettings{}.deadlines.connect;
  std::chrono::milliseconds first_byte_timeout = SourceSettings{}.deadlines.first_byte;
  std::chrono::milliseconds low_speed_window = SourceSettings{}.deadlines.low_speed_window;
  std::uint64_t low_speed_bytes = SourceSettings{}.deadlines.low_speed_bytes;
  std::chrono::milliseconds total_timeout = SourceSettings{}.deadlines.total;
  bool allow_special_addresses = SourceSettings{}.allow_special_addresses;
  std::chrono::milliseconds first_answer = SourceSettings{}.first_answer;
  std::chrono::milliseconds multivariant_age = SourceSettings{}.multivariant_age;
  std::chrono::milliseconds media_look = SourceSettings{}.media_look;
  std::int64_t max_waiting = SourceSettings{}.max_waiting;

  SourceSettings as_source_settings() const;
};

/// Values; immutable once read.
struct BalancerSettings {
  std::string state_dir;
  std::vector<NodeSettings> nodes;
  std::chrono::milliseconds node_timeout{1'800};
  std::chrono::milliseconds session_idle{10'000};
  std::chrono::milliseconds ended_session_idle{std::chrono::hours{6}};
  std::chrono::milliseconds publish_delay{200};
  std::chrono::milliseconds order_deadline{5'000};
  std::int64_t max_sessions = 2'000'000;
  std::uint64_t rendered_bytes = kRenderedBytes;
  std::int64_t metrics_channels = 500;
  std::vector<std::string> direct_players = default_direct_players();
  std::string slate_folder;
  std::string slate_origin;
  std::vector<std::string> operator_networks;
  std::string operator_token;
  std::vector<std::string> shared_networks;
  RoutingSettings routing;
  SteeringSettings steering;
  PaidChannelSettings paid_channels;
  SourceOriginSettings origin;

  /// Sessions whose pins and slate transitions are kept: twice max_sessions, because those of a session that has lapsed
  /// are kept too, and at least 65,536.
  std::size_t max_saved_sessions() const;
};

const config::Section<BalancerSettings>& balancer_section();

/// The sections that the role reads, and the checks between them.
void add_balancer_sections(config::Schema&);

}  // namespace tribune::balancer
