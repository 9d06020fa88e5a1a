#pragma once
// What a viewer shows to be let in, and what is said to who is not: tickets and refusals between access, which knows no HTTP, and
// the two doors, playlists and the API. Pure functions.

#include <string>
#include <string_view>

#include "access/admission.h"
#include "base/clock.h"
#include "base/signing.h"
#include "contracts/event.h"
#include "contracts/ticket.h"
#include "http/problem.h"

namespace tribune::balancer {

access::TicketClaim claim_of(const contracts::Ticket&);

/// The ticket of a new place in the queue.
contracts::Ticket ticket_for(std::string_view channel, const access::TicketClaim&, contracts::LinksMode, base::WallTime now, contracts::Owner);

/// The problem of a refusal, and what its detail says.
const http::ProblemType& problem_of(access::Refusal);
std::string detail_of(const access::Refused&);
/// Both, with Retry-After when it is known when to come back.
http::Response problem_for(const access::Refused&);

/// Why a session is not renewed, as its problem's detail says it.
std::string_view why_not(access::Admission::Renewal);

/// By what a client's tickets are counted: its address, its /64 for IPv6.
std::string counted_client(std::string_view address);

}  // namespace tribune::balancer
