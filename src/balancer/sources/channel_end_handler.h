#pragma once
// POST /channels/{id}/end on the admin listener: the operator ends a channel whose end is held (end_hold.h), or
// ends it before the packagers stop. Within the next kEndBelieved an end of any origin (EXT-X-ENDLIST) is believed at
// once.

#include <vector>

#include "balancer/sources/sources.h"
#include "base/clock.h"
#include "base/log.h"
#include "runtime/durable_reply.h"
#include "runtime/role.h"

namespace tribune::balancer {

/// Any thread.
class ChannelEndHandler {
 public:
  /// The parts outlive it. `sources` is called once the role serves.
  ChannelEndHandler(const base::Clock&, base::Log&, std::function<Sources&()> sources);

  std::vector<runtime::Route> routes();

 private:
  http::Response end(std::string_view channel, const runtime::OnDurable&);

  const base::Clock& clock_;
  base::Log& log_;
  std::function<Sources&()> sources_;
};

}  // namespace tribune::balancer
