#pragma once
// The admission of a new session or a ticket: routing selects the nodes, access counts. The playlist requests and the
// API use the same functions.

#include <chrono>

#include "access/admission.h"
#include "balancer/routing/session_router.h"

namespace tribune::balancer {

/// Decides with the nodes that routing selects for the visitor, and reports the decision to routing. `visitor` has no
/// nodes, and `request` has no session. Any thread.
access::Decision decide(access::Admission&, SessionRouter&, access::Visitor visitor, RoutingRequest request,
                        const access::TicketClaim* ticket, std::chrono::milliseconds idle);

/// Renews a session for which admission returned Renewal::unplaced, with the nodes that routing selects.
access::Admission::Renewal renew_placed(access::Admission&, SessionRouter&, access::Visitor visitor,
                                        const RoutingRequest& request, std::chrono::milliseconds idle);

}  // namespace tribune::balancer
