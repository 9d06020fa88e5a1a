#pragma once
// One decision about a newcomer or a ticket, between routing, which knows the nodes, and access, which counts: both
// doors ask here.

#include <chrono>

#include "access/admission.h"
#include "balancer/routing/session_router.h"

namespace tribune::balancer {

/// Decides with the nodes where routing would send the visitor, and tells routing what came of it. `visitor` without
/// nodes; `asked` without session. Any thread.
access::Decision decide(access::Admission&, SessionRouter&, access::Visitor visitor, RoutingRequest asked,
                        const access::TicketClaim* ticket, std::chrono::milliseconds idle);

/// The same for a session that admission does not know any more.
access::Admission::Renewal renew_placed(access::Admission&, SessionRouter&, access::Visitor visitor,
                                        const RoutingRequest& asked, std::chrono::milliseconds idle);

}  // namespace tribune::balancer
