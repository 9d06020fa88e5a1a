#pragma once
// A ticket: a place in a channel's waiting queue. Self-contained, so that it stays valid after a restart of the
// balancer. Values and pure functions.
//
//   {key id}.{base64url of: version and links mode, queue, lane, number, session, issued, owner, MAC}
//   (signed_payload.h)

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/signing.h"
#include "contracts/token.h"

namespace tribune::contracts {

struct Ticket {
  std::string channel;
  std::uint32_t queue = 0;  // identifies the counters of `number`
  std::uint8_t lane = 0;
  std::uint64_t number = 0;               // from 1, in the order of issue
  SessionId session = 0;                  // the id of the session when the ticket is claimed
  std::int64_t issued = 0;                // unix seconds, to 2106
  LinksMode links = LinksMode::redirect;  // resolved when the ticket was issued, never `automatic`
  Owner owner{};                          // empty without an account, which makes the text shorter
  bool operator==(const Ticket&) const = default;
};

inline constexpr std::size_t kMaxTicketCharacters = 175;

/// Its length differs from that of session tokens, which distinguishes them. The channel is signed and not contained.
/// Empty when the ring cannot sign or the value cannot be written.
std::string write_ticket(const base::KeyRing&, const Ticket&, base::WallTime now);

/// The age of the ticket is not checked, because its validity depends on the polling of its holder. Errors: forbidden
/// for a forged, damaged or other channel's ticket, or one from the future by more than `skew`.
base::Result<Ticket> read_ticket(const base::KeyRing&, std::string_view channel, std::string_view text,
                                 base::WallTime now, std::chrono::milliseconds skew);

/// As read_ticket(), but also accepts a ticket after the end of its key and one from the future. For callers that know
/// from another source that the ticket is in use.
base::Result<Ticket> read_ticket_out_of_time(const base::KeyRing&, std::string_view channel, std::string_view text);

/// Whether the text has the length of a ticket and not of a session token. Does not check the signature.
bool looks_like_ticket(std::string_view text);

}  // namespace tribune::contracts
