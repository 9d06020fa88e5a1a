#pragma once
// The admin listener: authentication, and the routes that do not belong to a role. Roles add routes of their own.

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

  /// An empty token admits every request.
  void set_token(std::string_view token);

  /// The response that rejects the request; nullopt when the request is allowed. Takes the same time for every wrong
  /// token.
  std::optional<http::Response> refusal(const http::Request&) const;

 private:
  mutable std::mutex mutex_;
  std::string digest_;  // SHA-256 of the token, so that all compared values have one length
};

/// The data of the admin responses. Immutable; the referenced objects outlive the routes.
struct AdminSources {
  std::string version;
  std::size_t workers;
  base::SteadyTime started;
  const base::Clock& clock;
  base::Metrics& metrics;
  const ProcessPhase& condition;
  const std::vector<std::unique_ptr<Role>>& roles;
};

/// 200 when the process is ready, otherwise a 503 problem that lists all reasons.
http::Response readiness(const ProcessPhase&, const std::vector<std::unique_ptr<Role>>&);

/// Version, phase, uptime, pid, workers, memory level, and one object per role, which Role::describe() writes.
http::Response status(const AdminSources&);

/// /healthz, /readyz, /metrics and /status.
std::vector<Route> admin_routes(std::shared_ptr<const AdminSources>);

}  // namespace tribune::runtime
