#pragma once
// The arguments and results of Admission. Values.

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "access/node_limits.h"
#include "access/sessions.h"

namespace tribune::access {

/// A client that asks for a session. The views must stay valid during the call.
struct Visitor {
  std::string_view channel;    // a configured one
  std::string_view account{};  // a stable key of the account; empty: none, not counted by account
  std::string_view device{};   // the device's name for the account's owner ("Living room TV"); listed when the account
                               // is full
  std::string_view lane{};     // a name of access.lanes; empty or unknown: the first lane
  std::string_view client{};   // the address, or its prefix (a /64): tickets and sessions are counted by it. Empty: not
                               // counted
  std::uint32_t network = 0;   // a hash of the client's network: the networks of one session are counted. 0: not known
  std::string_view group{};    // group and node that routing prefers. Empty: not known
  std::string_view node{};
  std::int64_t opened = 0;  // when its session began, in unix seconds: the account's oldest session is the one that
                            // began first. 0: not known
  std::span<const NodeRef> others{};  // alternatives when that node is full, in the order of preference
};

/// A fetch of a live media playlist with a session, once it is known what is sent.
struct PlaylistProgress {
  std::string_view channel;  // for the log, as is `client`
  std::string_view client{};
  std::uint32_t network = 0;  // as Visitor::network; 0: not known, and not recorded
  /// Grows with the playlist: the media sequence number after its last segment. nullopt: the playlist is an audio or
  /// subtitle rendition, which a player fetches beside a variant stream, so that it is refused but not recorded.
  std::optional<std::uint64_t> version{};
};

/// The content of a verified ticket. `contracts::Ticket` has the same members, signed.
struct TicketClaim {
  std::uint32_t queue = 0;  // changes when the counters were lost: numbers of another queue are not valid
  std::uint8_t lane = 0;
  std::uint64_t number = 0;
  SessionId session = 0;
  std::int64_t issued = 0;  // unix seconds; 0: not known
  bool operator==(const TicketClaim&) const = default;
};

/// The visitor has a session: issue the token for it. `is_new` is false for a ticket that was claimed before.
struct Granted {
  SessionId session = 0;
  bool is_new = true;
  std::string_view node{};  // the node that the session counts for; lives as long as the Admission. Empty: none, or
                            // an earlier decision returned it
  std::vector<SessionId> replaced{};  // sessions that were ended for it (AccountRule::take_over)
};

/// The visitor waits: issue the ticket. The client asks again after `retry_after`, each time with the ticket.
struct Queued {
  TicketClaim ticket;  // the presented ticket, or the new one
  bool is_new = false;
  std::string_view lane;     // its name; lives as long as the Admission
  std::uint64_t served = 0;  // of the ticket's lane
  std::uint64_t ahead = 0;   // live tickets before it; 0: it is the next one, or is called as soon as there is capacity
  std::optional<std::chrono::seconds> eta;   // from the measured outflow; nullopt: not known
  std::chrono::milliseconds retry_after{0};  // the refresh interval, spread by up to a fifth; constant for one ticket
};

enum class DenyReason {
  queue_full,         // 503: retry after `come_back`
  account_full,       // 403: `devices` watch
  too_many_tickets,   // 429: of this client's address
  too_many_sessions,  // 429: of this client's address
  session_shared,     // 403: other networks use the session
  ticket_unknown,     // 403: of another queue, or never issued
  ticket_expired,     // 403: it was called and not claimed in time; decide() without a ticket issues a new one
  ticket_used,        // 403: its session was opened, and has ended
  busy,               // 503: more newcomers at once than reserved numbers on disk; retry at once
};
std::string_view to_string(DenyReason);

struct Refused {
  DenyReason reason;
  std::vector<std::string> devices{};
  std::chrono::seconds come_back{0};
};

using Decision = std::variant<Granted, Queued, Refused>;

/// Emulated overload for a rehearsal. All off by default; not kept across restarts.
struct Drill {
  bool is_closed = false;           // no newcomer is admitted, all of them queue
  std::int64_t extra_sessions = 0;  // added to the load
  double extra_mbps = 0;
  bool operator==(const Drill&) const = default;
};

/// The traffic that a node reports in its heartbeat.
struct Traffic {
  std::string_view group, node;
  double sent_mbps = 0;
  std::vector<std::pair<std::string, double>> channel_mbps{};  // by channel
  bool reports_channels = true;                                // false: the node does not report single channels
};

}  // namespace tribune::access
