#include "balancer/sessions/viewer_credentials.h"

#include <fmt/format.h>

#include <utility>

#include "base/rendezvous.h"

namespace tribune::balancer {

namespace problems = http::problems;

access::TicketClaim claim_of(const contracts::Ticket& ticket) {
  return {ticket.queue, ticket.lane, ticket.number, ticket.session, ticket.issued};
}

contracts::Ticket ticket_for(std::string_view channel, const access::TicketClaim& claim, contracts::LinksMode links,
                             base::WallTime now, contracts::Owner owner) {
  return {std::string(channel),    claim.queue, claim.lane,      claim.number, claim.session,
          base::unix_seconds(now), links,       std::move(owner)};
}

std::optional<contracts::Token> token_in_use(const base::KeyRing& ring, const access::Admission& admission,
                                             std::string_view channel, std::string_view text) {
  auto token = contracts::read_token_out_of_time(ring, channel, text);
  if (!token || !admission.is_watching(token->session)) return std::nullopt;
  return std::move(*token);
}

std::optional<contracts::Ticket> ticket_in_use(const base::KeyRing& ring, const access::Admission& admission,
                                               std::string_view channel, std::string_view text) {
  auto ticket = contracts::read_ticket_out_of_time(ring, channel, text);
  if (!ticket || (!admission.is_watching(ticket->session) && !admission.is_waiting(channel, claim_of(*ticket))))
    return std::nullopt;
  return std::move(*ticket);
}

base::Result<contracts::Token> read_token(const base::KeyRing& ring, const access::Admission& admission,
                                          std::string_view channel, std::string_view text, base::WallTime now,
                                          std::chrono::milliseconds skew) {
  auto token = contracts::read_token(ring, channel, text, now, skew);
  if (token) return token;
  if (auto used = token_in_use(ring, admission, channel, text)) return std::move(*used);
  return token;
}

base::Result<contracts::Ticket> read_ticket(const base::KeyRing& ring, const access::Admission& admission,
                                            std::string_view channel, std::string_view text, base::WallTime now,
                                            std::chrono::milliseconds skew) {
  auto ticket = contracts::read_ticket(ring, channel, text, now, skew);
  if (ticket) return ticket;
  if (auto used = ticket_in_use(ring, admission, channel, text)) return std::move(*used);
  return ticket;
}

const http::ProblemType& problem_of(access::DenyReason reason) {
  using access::DenyReason;
  switch (reason) {
    case DenyReason::queue_full: return problems::queue_full;
    case DenyReason::account_full: return problems::account_full;
    case DenyReason::too_many_tickets: return problems::too_many_requests;
    case DenyReason::too_many_sessions: return problems::too_many_requests;
    case DenyReason::session_shared: return problems::session_shared;
    case DenyReason::ticket_unknown: return problems::ticket_invalid;
    case DenyReason::ticket_expired: return problems::ticket_expired;
    case DenyReason::ticket_used: return problems::session_ended;
    case DenyReason::busy: return problems::overloaded;
  }
  return problems::internal;
}

std::string detail_of(const access::Refused& refused) {
  using access::DenyReason;
  switch (refused.reason) {
    case DenyReason::queue_full:
      return fmt::format("the queue is full; retry in {} seconds", refused.come_back.count());
    case DenyReason::account_full:
      return fmt::format("the account has reached its limit of sessions; devices that are watching: {}",
                         fmt::join(refused.devices, ", "));
    case DenyReason::too_many_tickets: return "this address has reached its limit of tickets";
    case DenyReason::too_many_sessions: return "this address has reached its limit of sessions";
    case DenyReason::session_shared: return "the session is already used from the maximum number of networks";
    case DenyReason::ticket_unknown: return "this queue has no ticket with this number";
    case DenyReason::ticket_expired:
      return "the ticket was called and not claimed in time, or its holder did not poll in time";
    case DenyReason::ticket_used: return "the ticket was given up, or its session has ended";
    case DenyReason::busy: return "too many new viewers at once; retry immediately";
  }
  return "";
}

http::Response problem_for(const access::Refused& refused) {
  auto problem = http::problem(problem_of(refused.reason), detail_of(refused));
  if (refused.come_back.count() > 0) problem.headers.add("Retry-After", std::to_string(refused.come_back.count()));
  return problem;
}

static std::string_view renewal_detail(access::Admission::Renewal renewal) {
  using Renewal = access::Admission::Renewal;
  switch (renewal) {
    case Renewal::ended: return "the session was stopped, or another device of the account replaced it";
    case Renewal::shared: return "the session is already used from the maximum number of networks";
    case Renewal::expired: return "the token of the session was not used for too long";
    default: return "the session was not renewed in time, and its slot is in use by others";
  }
}

http::Response problem_for(access::Admission::Renewal renewal) {
  const bool is_shared = renewal == access::Admission::Renewal::shared;
  return http::problem(is_shared ? problems::session_shared : problems::session_ended, renewal_detail(renewal));
}

CountedClient counted_client(std::string_view address, const base::PrefixList& shared) {
  constexpr std::size_t kIpv4NetworkBytes = 12 + 3, kIpv6NetworkBytes = 6;
  const auto ip = base::parse_ip(address);
  if (!ip) return {std::string(address)};
  const auto bytes = ip->is_ipv4() ? kIpv4NetworkBytes : kIpv6NetworkBytes;
  const std::string_view network(reinterpret_cast<const char*>(ip->bytes.data()), bytes);
  CountedClient client{{}, static_cast<std::uint32_t>(base::rendezvous_hash("network", network)) | 1};
  if (shared.empty() || !shared.contains(*ip))
    client.address = address.find(':') == address.npos ? std::string(address) : ip->counted().text();
  return client;
}

}  // namespace tribune::balancer
