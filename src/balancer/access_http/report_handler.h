#pragma once
// A client's report of the nodes that it reaches and of those that it cannot reach any more. The handler selects a node
// for the session again. POST /api/v1/sessions/{session}/reports names the session only, and the response is
//
//   {"status":"routed", "node", "url", "reason", "receipts_refused"}     node and url are empty when no node can serve
//
// POST /api/v1/caches/pings names the channel. Without a session the report is answered and nothing of it is recorded.
//
//   {"cache", "url", "reason", "holds_seconds", "receipts_refused"}      cache and url are null when no node serves
//
// With redirect links that node serves the next segment, with direct links the first segment that is not listed yet.

#include <optional>

#include "access/admission.h"
#include "balancer/entitlements/paid_access.h"
#include "balancer/routing/session_router.h"
#include "balancer/sessions/session_pins.h"
#include "balancer/settings/event_view.h"
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

  /// The request was verified to come from the api. Refuses an unknown channel, an invalid token or ticket, and a
  /// session that has ended.
  http::Response answer(const contracts::AccessRequest&, const EventView&);

 private:
  /// The session of a report.
  struct Reporter {
    contracts::Token token;
    bool waits = false;  // it is that of a ticket
  };
  std::optional<Reporter> reporter(const contracts::AccessRequest&, const EventView&, const contracts::Channel&) const;
  /// route() for a session, and the name of the session.
  http::Response answer_to(const contracts::AccessRequest&, const EventView&, const contracts::Channel&,
                           const Reporter&);
  /// Refuses a session that has ended. `reporter`: null without a session.
  http::Response route(const contracts::AccessRequest&, const EventView&, const contracts::Channel&,
                       const Reporter* reporter);
  access::Admission::Renewal renew(const contracts::AccessRequest&, const EventView&, const contracts::Token&,
                                   const RoutingRequest&);
  /// The node that the client names, with what it named before.
  std::string named_node(const contracts::AccessRequest&, const RoutingRequest&);

  const base::Clock& clock_;
  access::Admission& admission_;
  SessionPins& pins_;
  SessionRouter& router_;
  PaidAccess& paid_access_;
};

}  // namespace tribune::balancer
