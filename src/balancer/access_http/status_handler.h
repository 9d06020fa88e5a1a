#pragma once
// The status of channels, sessions and cache nodes: GET /status/nodes on the admin listener, and members of the role's
// /status document.

#include <vector>

#include "access/admission.h"
#include "balancer/nodes/node_registry.h"
#include "balancer/sessions/session_pins.h"
#include "balancer/settings/event_view.h"
#include "base/json.h"
#include "runtime/role.h"

namespace tribune::balancer {

/// Any thread. The parts outlive it.
class StatusHandler {
 public:
  StatusHandler(const NodeRegistry& nodes, const access::Admission& admission, const SessionPins& pins,
                const PublishedView& view)
      : nodes_(nodes), admission_(admission), pins_(pins), view_(view) {}

  std::vector<runtime::Route> routes();
  /// "channels", "sessions", "pinned_sessions", "unsaved_pins" and the members of admission.
  void describe(base::json::Writer&) const;

 private:
  http::Response nodes() const;

  const NodeRegistry& nodes_;
  const access::Admission& admission_;
  const SessionPins& pins_;
  const PublishedView& view_;
};

}  // namespace tribune::balancer
