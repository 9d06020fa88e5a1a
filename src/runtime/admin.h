#pragma once
// The admin listener: who may ask, and what the house itself answers there. Roles add routes of their own.

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "http/message.h"
#include "runtime/process_phase.h"
#include "runtime/role.h"

namespace tribune::runtime {

/// Whether a request carries the token, `Authorization: Bearer TOKEN` (RFC 6750 section 2.1). Any thread; locks inside.
class AdminGate {
 public:
  explicit AdminGate(std::string_view token) { set_token(token); }

  /// Empty: everybody may ask.
  void set_token(std::string_view token);

  /// The refusal, or nothing when the request may pass. Takes the same time for every wrong token.
  std::optional<http::Response> refusal(const http::Request&) const;

 private:
  mutable std::mutex mutex_;
  std::string digest_;  // of the token: equal lengths compare in equal time
};

/// What the admin answers are made of. Immutable; what it refers to outlives the routes.
struct AdminSources {
  std::string version;
  std::size_t workers;
  base::SteadyTime started;
  const base::Clock& clock;
  base::Metrics& metrics;
  const ProcessPhase& condition;
  const std::vector<std::unique_ptr<Role>>& roles;
};

/// 200, or a 503 problem that lists every reason why not.
http::Response readiness(const ProcessPhase&, const std::vector<std::unique_ptr<Role>>&);

/// version, uptime and, under each role's name, what the role says of itself.
http::Response status(const AdminSources&);

/// /healthz, /readyz, /metrics and /status.
std::vector<Route> admin_routes(std::shared_ptr<const AdminSources>);

}  // namespace tribune::runtime
