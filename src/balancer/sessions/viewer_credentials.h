#pragma once
// Credentials of viewers and the refusals of admission, for playlist requests and the API: the conversions between
// access, which has no HTTP, and tokens, tickets and problems. Pure functions.

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

/// The ticket of a new position in the queue.
contracts::Ticket ticket_for(std::string_view channel, const access::TicketClaim&, contracts::LinksMode,
                             base::WallTime now, contracts::Owner);

/// A token or ticket that has expired, because its key has ended or the clock was set back before its opening, while
/// admission counts its session or queues its ticket. A rotation of keys or a step of the clock interrupts no viewer.
std::optional<contracts::Token> token_in_use(const base::KeyRing&, const access::Admission&, std::string_view channel,
                                             std::string_view text);
std::optional<contracts::Ticket> ticket_in_use(const base::KeyRing&, const access::Admission&, std::string_view channel,
                                               std::string_view text);

/// The results of contracts::read_token() and read_ticket(), and credentials in use.
base::Result<contracts::Token> read_token(const base::KeyRing&, const access::Admission&, std::string_view channel,
                                          std::string_view text, base::WallTime now, std::chrono::milliseconds skew);
base::Result<contracts::Ticket> read_ticket(const base::KeyRing&, const access::Admission&, std::string_view channel,
                                            std::string_view text, base::WallTime now, std::chrono::milliseconds skew);

/// The problem of a refusal, and the text of its detail.
const http::ProblemType& problem_of(access::DenyReason);
std::string detail_of(const access::Refused&);
/// The response with both, and with Retry-After when the time is known.
http::Response problem_for(const access::Refused&);

/// The problem of a session that is not renewed.
http::Response problem_for(access::Admission::Renewal);

/// The identity by which a client's tickets and sessions are counted: its address, for IPv6 its /64; empty in `shared`
/// networks. `network` identifies its network (IPv4: /24, IPv6: /48).
struct CountedClient {
  std::string address;
  std::uint32_t network = 0;
};
CountedClient counted_client(std::string_view address, const base::PrefixList& shared);

}  // namespace tribune::balancer
