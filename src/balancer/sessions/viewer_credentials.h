#pragma once
// What a viewer shows to be let in, and what is said to who is not: tickets and refusals between access, which knows no
// HTTP, and the two doors, playlists and the API. Pure functions.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "access/admission.h"
#include "base/clock.h"
#include "base/ip_address.h"
#include "base/result.h"
#include "base/signing.h"
#include "contracts/event.h"
#include "contracts/ticket.h"
#include "contracts/token.h"
#include "http/problem.h"

namespace tribune::balancer {

access::TicketClaim claim_of(const contracts::Ticket&);

/// The ticket of a new place in the queue.
contracts::Ticket ticket_for(std::string_view channel, const access::TicketClaim&, contracts::LinksMode,
                             base::WallTime now, contracts::Owner);

/// A token or ticket that is out of time, for its key has ended or the clock was set back behind its opening, and whose
/// session is known to watch, or whose ticket is known to wait: a rotation of keys and a step of the clock interrupt
/// nobody.
std::optional<contracts::Token> token_in_use(const base::KeyRing&, const access::Admission&, std::string_view channel,
                                             std::string_view text);
std::optional<contracts::Ticket> ticket_in_use(const base::KeyRing&, const access::Admission&, std::string_view channel,
                                               std::string_view text);

/// As contracts::read_token() and read_ticket(), and those in use.
base::Result<contracts::Token> read_token(const base::KeyRing&, const access::Admission&, std::string_view channel,
                                          std::string_view text, base::WallTime now, std::chrono::milliseconds skew);
base::Result<contracts::Ticket> read_ticket(const base::KeyRing&, const access::Admission&, std::string_view channel,
                                            std::string_view text, base::WallTime now, std::chrono::milliseconds skew);

/// The problem of a refusal, and what its detail says.
const http::ProblemType& problem_of(access::DenyReason);
std::string detail_of(const access::Refused&);
/// Both, with Retry-After when it is known when to come back.
http::Response problem_for(const access::Refused&);

/// Why a session is not renewed, as its problem's detail says it.
std::string_view why_not(access::Admission::Renewal);

/// By what a client's tickets and sessions are counted: its address, its /64 for IPv6; nothing in `shared` networks.
/// And what stands for its network (IPv4: /24, IPv6: /48).
struct CountedClient {
  std::string address;
  std::uint32_t network = 0;
};
CountedClient counted_client(std::string_view address, const base::PrefixList& shared);

}  // namespace tribune::balancer
