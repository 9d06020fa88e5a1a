#pragma once
// Checks whether one session is used from more networks at once than max_networks_per_session, and returns the outcome.
// Any thread; a request costs one lock of the session's shard. The caller ends sessions.

#include <atomic>
#include <chrono>
#include <cstdint>

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

 private:
  base::Log& log_;
  Sessions& sessions_;
  std::atomic<std::int64_t> max_networks_{0};
  std::atomic<std::chrono::milliseconds> handover_{};
  std::atomic<SharingRule> rule_{SharingRule::log};
  base::Counter shared_;
};

}  // namespace tribune::access
