#pragma once
// The configuration that requests read, as one value that a reload replaces.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "balancer/settings/operator_rules.h"
#include "balancer/settings/steering_settings.h"
#include "base/ip_address.h"
#include "base/published.h"
#include "base/signing.h"
#include "contracts/event.h"

namespace tribune::balancer {

/// Immutable; const methods from any thread.
struct EventView {
  std::shared_ptr<const contracts::Event> event;
  std::shared_ptr<const base::KeyRing> keys;
  std::string channel_map;  // JSON, as in the responses to heartbeats
  std::vector<std::string> direct_players;
  std::chrono::milliseconds session_idle{10'000};
  std::chrono::milliseconds ended_session_idle{std::chrono::hours{6}};
  std::chrono::milliseconds receipt_lifetime{300'000};
  std::chrono::milliseconds publish_delay{200};
  std::chrono::milliseconds order_deadline{5'000};
  SteeringSettings steering;
  std::string slate_origin;
  OperatorRules operators;
  base::PrefixList shared_networks;
};

using PublishedView = base::Published<EventView>;

}  // namespace tribune::balancer
