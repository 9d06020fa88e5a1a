#pragma once
// Who may watch now, who waits, and in what order. One object in an event's balancer; knows no HTTP and no signatures:
// whoever calls has verified the token or ticket, and writes the new one.
//
// A ticket's life
//   waiting     decide() gave it a number                                                           (whoever opens)
//   called      its turn came and room is kept for it, for `reservation`                            (release, tick, a
//   new limit) claimed     decide() with the ticket: it is a session now, with the id that the ticket carries  (its
//   holder) expired     called and not claimed in time, or not heard for `lease` when its turn came: its place is lost,
//   the line goes on
//
// The ticket carries the id of the session that it becomes, so a ticket used twice names the same one session.

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "access/access_settings.h"
#include "access/limits.h"
#include "access/node_limits.h"
#include "access/past_sessions.h"
#include "access/queue_status.h"
#include "access/session_record.h"
#include "access/sessions.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "store/store.h"

namespace tribune::access {

/// Who asks for a session. The views need to live for the call only.
struct Visitor {
  std::string_view channel;    // a configured one
  std::string_view account{};  // what stands for it, the same each time; empty: nobody's, not counted by account
  std::string_view device{};   // how the account's owner knows it ("Living room TV"); named when the account is full
  std::string_view lane{};     // of access.lanes; empty or unknown: the first
  std::string_view client{};   // the address, or what stands for it (a /64): tickets and sessions are counted by it.
                               // Empty: not counted
  std::uint32_t network = 0;   // stands for its network: a session is asked for from few at once. 0: not known
  std::string_view group{};    // of cache nodes, and the node, where routing would send it now. Empty: not known
  std::string_view node{};
  std::int64_t opened =
      0;  // when its session began, in unix seconds: the account's oldest is the one that began first. 0: not told
  std::span<const NodeRef> others{};  // where it may watch when that one is full, in this order
};

/// What a verified ticket says. `contracts::Ticket` has the same members, signed.
struct TicketClaim {
  std::uint32_t queue = 0;  // changes when the counters were lost: an old number means nothing then
  std::uint8_t lane = 0;
  std::uint64_t number = 0;
  SessionId session = 0;
  std::int64_t issued = 0;  // unix seconds; 0: not told
  bool operator==(const TicketClaim&) const = default;
};

/// The visitor has a session: write the token for it. `is_new` is false for a ticket that was claimed before.
struct Granted {
  SessionId session = 0;
  bool is_new = true;
  std::string_view node{};  // where it was counted; lives as long as the Admission. Empty: nowhere, or told before
  std::vector<SessionId> replaced{};  // ended for it (AccountRule::take_over)
};

/// The visitor waits: write the ticket, and ask again after `retry_after`, each time with the ticket.
struct Queued {
  TicketClaim ticket;  // as given, or the new one
  bool is_new = false;
  std::string_view lane;     // its name; lives as long as the Admission
  std::uint64_t served = 0;  // of its lane
  std::uint64_t ahead = 0;   // live tickets before it; 0: the next one, or its turn came and room is being made
  std::optional<std::chrono::seconds> eta;  // from the measured outflow; nothing: not known
  std::chrono::milliseconds retry_after{
      0};  // the refresh interval, spread by up to a fifth, always the same for one ticket
};

enum class DenyReason {
  queue_full,         // 503: come back after `come_back`
  account_full,       // 403: `devices` watch
  too_many_tickets,   // 429: of this client's address
  too_many_sessions,  // 429: likewise
  session_shared,     // 403: other networks use the session
  ticket_unknown,     // 403: of another queue, or never given out
  ticket_expired,     // 403: its turn came and went; without the ticket decide() gives a new place
  ticket_used,        // 403: its session was opened, and has ended
  busy,               // 503: more newcomers at once than numbers on disk; come back at once
};
std::string_view to_string(DenyReason);

struct Refused {
  DenyReason reason;
  std::vector<std::string> devices{};
  std::chrono::seconds come_back{0};
};

using Decision = std::variant<Granted, Queued, Refused>;

/// A rehearsal: what the queue is made to believe. All off by default; not kept across restarts.
struct Drill {
  bool is_closed = false;           // nobody new is admitted, everybody queues
  std::int64_t extra_sessions = 0;  // pretended load
  double extra_mbps = 0;
  bool operator==(const Drill&) const = default;
};

/// What a node carries, by its heartbeat.
struct Traffic {
  std::string_view group, node;
  double sent_mbps = 0;
  std::vector<std::pair<std::string, double>> channel_mbps{};  // of it
  bool tells_channels = true;                                  // false: the node does not say it
};

/// Any thread; locks inside, held for about a microsecond (a round of calls: within a millisecond) and never across I/O
/// or a callback of the caller. Outlives the store.
class Admission {
 public:
  Admission(const base::Clock&, base::Log&, base::Metrics&, const AccessSettings&, std::size_t max_known = 2'000'000,
            ChannelLabelsPtr = nullptr);
  ~Admission();

  /// Before the first decision: numbers, served places, limits and sessions of the former run. Who watched then counts
  /// at once, and is released like anybody who does not renew. Afterwards changes are written behind. The store must
  /// have the tables of kAccessTables; without load() nothing is kept. On the main thread; reads and writes the disk.
  base::Status load(store::Store&);
  /// On the main thread, at a clean stop: the next start then knows how many were watching.
  void stop();

  /// Channels that are gone keep their sessions. Any thread; a reload calls it.
  struct ChannelFacts {
    std::string id;
    double mbps = 5;                           // that one viewer is predicted to take, until a heartbeat shows it
    std::optional<base::WallTime> opens_at{};  // everybody queues until then, and gets a place by lot
  };
  void configure(const AccessSettings&, const std::vector<ChannelFacts>&);
  /// What a viewer of the channel takes, once its multivariant playlist is known (the largest BANDWIDTH).
  void predict(std::string_view channel, double mbps);

  /// `ticket`: what the visitor showed, verified. `idle`: released when not renewed for so long.
  Decision decide(const Visitor&, const TicketClaim* ticket, std::chrono::milliseconds idle);

  /// A session asks for a playlist.
  ///   known      it watches
  ///   adopted    it lapsed, or it is of another balancer, or of a former run that could not write it down, and there
  ///   was room: it watches uncounted  it watches, but as many as may be are known, and nothing is limited lapsed it is
  ///   not known, and all is full or its account's other devices watch: to be decided like a newcomer expired    it is
  ///   not known, and was opened, and used here, longer ago than a token is good for ended      it was stopped, or
  ///   another device of the account took over shared     it watches, and is asked for from more networks than may be
  ///   (SharingRule::refuse) unplaced   it is not known, nodes have limits, and the visitor names none: to be asked
  ///   again with a node
  enum class Renewal { known, adopted, uncounted, lapsed, expired, ended, shared, unplaced };
  Renewal renew(SessionId, const Visitor&, std::chrono::milliseconds idle);

  /// Whether the session is known to watch, and whether the ticket waits, or may since a former run: by what happened
  /// here, not by what a pass says of its time.
  bool is_watching(SessionId) const;
  bool is_waiting(std::string_view channel, const TicketClaim&) const;

  /// The session watches at another place from now on. Unless it `must`, for it cannot stay where it is, it may not
  /// where there is no room: false then, and nothing is changed. A session that is not counted may always.
  bool move(SessionId, const NodeRef&, bool must);
  /// Null while no group and no node has a limit.
  std::shared_ptr<const NodeLimits> node_limits() const;

  /// Who waits and leaves gives the place up. False: it was none.
  bool cancel(std::string_view channel, const TicketClaim&);
  /// An explicit stop; its room goes to the next in the queue. False: not known.
  bool release(SessionId);
  /// What was granted or queued never reached the visitor: nobody has a token or ticket of it that must be kept from
  /// being used.
  void take_back(SessionId);
  void take_back(std::string_view channel, const TicketClaim&);
  /// As release() in kReturnTime, unless the session is renewed within it: a page that is loaded again closes first.
  bool leave(SessionId);

  /// Every 100 ms, by one worker: releases who is overdue (`on_released` outside the lock), calls the next, expires,
  /// measures.
  void tick(const std::function<void(SessionId)>& on_released = {});

  void measured(const Traffic&);

  AccessLimits limits() const;
  /// Replaces what the JSON names, at once and for good (it outlives restarts and wins over the configuration);
  /// watchers stay. `on_durable` runs once it is on disk or was refused there (then it is tried again), on the store's
  /// thread; not when there is an error.
  base::Status change_limits(std::string_view json, store::Store::OnCommitted on_durable = {});
  /// Back to the limits of the configuration.
  void reset_limits(store::Store::OnCommitted on_durable = {});

  /// Empty channel: everything.
  void set_drill(std::string_view channel, const Drill&);
  Drill drill(std::string_view channel) const;
  /// Opens the channel's queue now, whatever opens_at says.
  void open_now(std::string_view channel);

  /// Nothing for a channel that is not configured. Cheap: made once a second at most.
  std::optional<QueueStatus> queue_status(std::string_view channel) const;
  std::size_t sessions() const;
  std::size_t sessions(std::string_view channel) const;
  /// "access": {…}: limits, drills, sessions, queues.
  void describe(base::json::Writer&) const;

 private:
  struct Inner;
  std::unique_ptr<Inner> inner_;
};

/// How long a page that closes may take to be there again.
inline constexpr std::chrono::seconds kReturnTime{5};

/// Tables of the balancer's store.
inline constexpr std::string_view kLinesTable = "access_lines";
inline constexpr std::string_view kLimitsTable = "access_limits";
inline constexpr std::array kAccessTables{kLinesTable, kLimitsTable, kSessionsTable, kPastTable};

}  // namespace tribune::access
