#pragma once
// HLS Content Steering: GET /steering/{channel}, and the pathways of multivariant playlists. Says what routing says, in
// words of pathways; decides nothing itself, and never answers 429: hls.js would not ask again.

#include <string>
#include <string_view>

#include "balancer/routing/session_router.h"
#include "balancer/sessions/session_pins.h"
#include "balancer/settings/event_view.h"
#include "balancer/steering/steering_manifest.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "http/message.h"

namespace tribune::balancer {

/// Any thread. The parts outlive it.
class SteeringHandler {
 public:
  SteeringHandler(const base::Clock&, base::Metrics&, SessionRouter&, SessionPins&, const access::Admission&,
                  const PublishedView&);

  /// 404 for an unknown channel, and for one without steering; else a manifest, whatever the query says.
  http::Response answer(std::string_view channel, const http::Request&);

  /// The multivariant playlist with its pathways. `under`: as for steered(). `pass`: the token or ticket that the
  /// player travels with.
  std::string playlist(std::string_view text, std::string_view under, std::string_view pass, const RoutingRequest&,
                       const SteeringSettings&);

  /// Whether the balancer knows a group of this name, or it is the origin's.
  bool knows(std::string_view pathway) const;

 private:
  access::SessionId session_of(const SteeringQuestion&, const contracts::Channel&, const EventView&) const;
  void count(const SteeringQuestion&, bool is_known);

  const base::Clock& clock_;
  base::Metrics& metrics_;
  SessionRouter& router_;
  SessionPins& pins_;
  const access::Admission& admission_;
  const PublishedView& view_;
};

}  // namespace tribune::balancer
