#pragma once
// A client's report of the nodes that it cannot reach any more, and of those that it reaches. The handler
// selects a node for the session again:
//
//   {"status":"routed", "node", "url", "reason", "receipts_refused"}     node and url are empty when no node can serve
//
// With redirect links that node serves the next segment, with direct links the first segment that is not listed yet.

#include "access/admission.h"
#include "balancer/entitlements/paid_access.h"
#include "balancer/routing/session_router.h"
#include "balancer/sessions/session_pins.h"
#include "balancer/settings/event_view.h"
#include "balancer/slate/slates.h"
#include "base/clock.h"
#include "contracts/access_request.h"
#include "contracts/token.h"
#include "http/message.h"

namespace tribune::balancer {

/// Any thread. The parts outlive it.
class ReportHandler {
 public:
  ReportHandler(const base::Clock& clock, access::Admission& admission, SessionPins& pins, SessionRouter& router,
                PaidAccess& paid_access)
      : clock_(clock), admission_(admission), pins_(pins), router_(router), paid_access_(paid_access) {}

  /// The request was verified to come from the api. Refuses an invalid token or ticket, and a session that has ended.
  http::Response answer(const contracts::AccessRequest&, const EventView&);

 private:
  http::Response route(const contracts::AccessRequest&, const EventView&, const contracts::Channel&,
                       const contracts::Token&, bool waits);

  const base::Clock& clock_;
  access::Admission& admission_;
  SessionPins& pins_;
  SessionRouter& router_;
  PaidAccess& paid_access_;
};

}  // namespace tribune::balancer
