#pragma once
// HLS Content Steering: GET /steering/{channel}, and the pathways of multivariant playlists. It expresses the order of
// routing as pathways. It never responds with 429, after which hls.js would not repeat its request.

#include <string>
#include <string_view>

#include "balancer/entitlements/paid_access.h"
#include "balancer/routing/session_router.h"
#include "balancer/sessions/session_pins.h"
#include "balancer/settings/event_view.h"
#include "balancer/steering/steering_manifest.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "contracts/token.h"
#include "http/message.h"

namespace tribune::balancer {

/// Any thread. The parts outlive it.
class SteeringHandler {
 public:
  SteeringHandler(const base::Clock&, base::Metrics&, SessionRouter&, SessionPins&, const access::Admission&,
                  PaidAccess&, const PublishedView&);

  /// 404 for an unknown channel and for one without steering, 403 for a paid channel without an entitled session;
  /// otherwise a manifest, whatever the query contains.
  http::Response answer(std::string_view channel, const http::Request&);

  /// The multivariant playlist with its pathways. `under`: as for steered(). `pass`: the token or ticket of the player.
  std::string playlist(std::string_view text, std::string_view under, std::string_view pass, const RoutingRequest&,
                       const SteeringSettings&);

  /// Whether a group has this name, or it is the name of the origin's pathway.
  bool knows(std::string_view pathway) const;

 private:
  contracts::Token session_of(const SteeringQuery&, const contracts::Channel&, const EventView&) const;
  void count(const SteeringQuery&, bool is_known);

  const base::Clock& clock_;
  base::Metrics& metrics_;
  SessionRouter& router_;
  SessionPins& pins_;
  const access::Admission& admission_;
  PaidAccess& paid_access_;
  const PublishedView& view_;
};

}  // namespace tribune::balancer
