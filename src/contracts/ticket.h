#pragma once
// A ticket: a place in a channel's waiting queue. Self-contained, so that a restarted balancer believes it. Values and
// pure functions.
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
  std::uint32_t queue = 0;  // which counters the number is of
  std::uint8_t lane = 0;
  std::uint64_t number = 0;               // from 1, in the order in which tickets were given
  SessionId session = 0;                  // what the session will be called when the ticket is claimed
  std::int64_t issued = 0;                // unix seconds, to 2106
  LinksMode links = LinksMode::redirect;  // resolved when the ticket was given, never `automatic`
  Owner owner{};                          // nobody's for who came without an account: the text is the shorter for it
  bool operator==(const Ticket&) const = default;
};

inline constexpr std::size_t kMaxTicketCharacters = 148;

/// Of a length that no session token has, so that the two can be told apart. The channel is signed, not written. Empty
/// when the ring cannot sign or the value cannot be written.
std::string write_ticket(const base::KeyRing&, const Ticket&, base::WallTime now);

/// Whatever its age: how long it is good for depends on what its holder does. Errors: forbidden for a forged, damaged
/// or other channel's ticket, or one from the future by more than `skew`.
base::Result<Ticket> read_ticket(const base::KeyRing&, std::string_view channel, std::string_view text,
                                 base::WallTime now, std::chrono::milliseconds skew);

/// As before, but also after the end of its key, and when it is from the future: for who knows otherwise that it is in
/// use.
base::Result<Ticket> read_ticket_out_of_time(const base::KeyRing&, std::string_view channel, std::string_view text);

/// Whether the text has a length that tickets have, and session tokens do not. Says nothing of the signature.
bool looks_like_ticket(std::string_view text);

}  // namespace tribune::contracts
