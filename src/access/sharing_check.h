#pragma once
// Checks whether one session is used from more networks at once than max_networks_per_session, and whether two players
// watch it in different networks. Returns the outcome.
// Any thread; a request costs one lock of the session's shard. The caller ends sessions.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string_view>

#include "access/access_settings.h"
#include "access/admission_types.h"
#include "access/sessions.h"
#include "base/log.h"
#include "base/metrics.h"

namespace tribune::access {

class SharingCheck {
 public:
  SharingCheck(base::Log&, base::Metrics&, Sessions&);

  void configure(const AccessSettings&);

  enum class Outcome { serve, refuse, end };
  /// Counts the visitor's network for the session. `serve` for a visitor without a network.
  Outcome check(SessionId, const Visitor&);
  /// Records a fetch of the live playlist. `serve` for a client without a network.
  Outcome check_progress(SessionId, const PlaylistProgress&);

 private:
  void log_shared(std::string_view event, SessionId, std::string_view channel, std::string_view client, SharingRule);

  base::Log& log_;
  Sessions& sessions_;
  std::atomic<std::int64_t> max_networks_{0};
  std::atomic<std::chrono::milliseconds> handover_{};
  std::atomic<SharingRule> rule_{SharingRule::log}, paid_rule_{SharingRule::refuse};
  base::Counter shared_, concurrent_;
};

}  // namespace tribune::access
