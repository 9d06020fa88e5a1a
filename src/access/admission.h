#pragma once
// Admission to an event: which visitors may watch now, which wait, and in what order. One object in an event's
// balancer; knows no HTTP and no signatures: the caller verifies tokens and tickets, and issues new ones. This class
// locks and coordinates; the parts decide:
//   AdmissionDecider   a decision about one visitor                    admission_decide.h
//   TicketScheduler    calls tickets, ends abandoned ones              ticket_scheduler.h
//   ChannelQueues      the queue of each channel, with its lanes       channel_queues.h, channel_queue.h, queue_lane.h
//   AdmittedSessions   sessions that watch, accounts, addresses        admitted_sessions.h
//   Capacity           limits, and what counts against them            capacity.h, scope.h
//   AccessStore        what is written to disk and read back           access_store.h
//   SharingCheck       networks that use one session                   sharing_check.h
//
// A ticket's life
//   waiting   decide() issued it
//   called    there is capacity, reserved for it for `reservation`         (release, tick, a new limit)
//   claimed   decide() with the ticket: it is a session now, with the id that the ticket carries
//   expired   called and not claimed in time, or not presented for `lease` when its turn came: its position is lost
//
// The ticket carries the id of the session that it becomes, so a ticket that is used twice names one session.

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/access_settings.h"
#include "access/access_tables.h"
#include "access/admission_types.h"
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

/// Any thread; locks inside, held for about a microsecond (a round of calls: within a millisecond) and never across I/O
/// or a callback of the caller. Must outlive the store.
class Admission {
 public:
  Admission(const base::Clock&, base::Log&, base::Metrics&, const AccessSettings&, std::size_t max_known = 2'000'000,
            ChannelLabelsPtr = nullptr);
  ~Admission();

  /// Before the first decision: restores numbers, served positions, limits and sessions of the former run. The sessions
  /// count at once, and are released like any that are not renewed. Later changes are written behind. The store must
  /// have the tables of kAccessTables; without load() nothing is written. On the main thread; reads and writes the
  /// disk.
  base::Status load(store::Store&);
  /// On the main thread, at a clean stop: the next start then knows whether sessions were watching.
  void stop();

  /// Channels that leave the configuration keep their sessions. Called at the start and by each reload.
  struct ChannelFacts {
    std::string id;
    double mbps = 5;                           // predicted for one viewer, until heartbeats contain it
    std::optional<base::WallTime> opens_at{};  // all visitors queue until then, and their order is drawn by lot
  };
  void configure(const AccessSettings&, const std::vector<ChannelFacts>&);
  /// The traffic of one viewer of the channel, from its multivariant playlist (the largest BANDWIDTH).
  void predict(std::string_view channel, double mbps);

  /// `ticket`: the verified ticket that the visitor presents; null: none. `idle`: the session is released when it is
  /// not renewed for this time.
  Decision decide(const Visitor&, const TicketClaim* ticket, std::chrono::milliseconds idle);

  /// A session requests a playlist.
  ///   known      it watches
  ///   adopted    it was not known (it lapsed, or is of another balancer, or of a former run that could not write it
  ///              down), and there was capacity: it watches
  ///   uncounted  it watches, but the bound of known sessions is reached, and nothing is limited
  ///   lapsed     it is not known, and the event or its account is full: decide as for a newcomer
  ///   expired    it is not known, and was issued, and used here, longer ago than a token is valid
  ///   ended      it was stopped, or replaced by another device of the account
  ///   shared     it watches, and is used from more networks than allowed (SharingRule::refuse)
  ///   unplaced   it is not known, nodes have limits, and the visitor names no node: call again with a node
  enum class Renewal { known, adopted, uncounted, lapsed, expired, ended, shared, unplaced };
  Renewal renew(SessionId, const Visitor&, std::chrono::milliseconds idle);

  /// Whether the session is known to watch, and whether the ticket is live or may be one of a former run. By the state
  /// here, not by the times in tokens and tickets.
  bool is_watching(SessionId) const;
  bool is_waiting(std::string_view channel, const TicketClaim&) const;

  /// The session watches at another node from now on. Without `must` (set for a session that cannot stay at its node)
  /// only where there is capacity: false then, and nothing is changed. True for a session that is not counted.
  bool move(SessionId, const NodeRef&, bool must);
  /// Null while no group and no node has a limit. Without a lock.
  std::shared_ptr<const NodeLimits> node_limits() const;

  /// The holder of a ticket leaves the queue. False: the ticket was not live.
  bool cancel(std::string_view channel, const TicketClaim&);
  /// An explicit stop; its capacity goes to the next in the queue. False: not known.
  bool release(SessionId);
  /// For a session or ticket that never reached the visitor: as release() and cancel(), but nothing is remembered,
  /// because no token or ticket of it exists.
  void take_back(SessionId);
  void take_back(std::string_view channel, const TicketClaim&);
  /// As release() after kReturnTime, unless the session is renewed before: a page that is reloaded closes first.
  bool leave(SessionId);

  /// Every 100 ms, by one worker: releases overdue sessions (`on_released` is called outside the lock), calls tickets,
  /// ends expired ones, samples the speed of the queues.
  void tick(const std::function<void(SessionId)>& on_released = {});

  void measured(const Traffic&);

  AccessLimits limits() const;
  /// Replaces the limits that the JSON names, at once; they outlive restarts and override the configuration. Sessions
  /// above a new limit go on. `on_durable` runs on the store's thread once the limits are on disk, or the write failed
  /// (it is retried); it does not run when an error is returned.
  base::Status change_limits(std::string_view json, store::Store::OnCommitted on_durable = {});
  /// Back to the limits of the configuration.
  void reset_limits(store::Store::OnCommitted on_durable = {});

  /// Empty channel: the whole event.
  void set_drill(std::string_view channel, const Drill&);
  Drill drill(std::string_view channel) const;
  /// Opens the channel's queue now, regardless of opens_at.
  void open_now(std::string_view channel);

  /// nullopt for a channel that is not known. Call it at most once a second.
  std::optional<QueueStatus> queue_status(std::string_view channel) const;
  std::size_t sessions() const;
  std::size_t sessions(std::string_view channel) const;
  /// "access": {…}: limits, drills, sessions, queues.
  void describe(base::json::Writer&) const;

 private:
  struct Inner;
  std::unique_ptr<Inner> inner_;
};

/// The time within which a page that closes may return.
inline constexpr std::chrono::seconds kReturnTime{5};

/// Tables of the balancer's store.
inline constexpr std::array kAccessTables{kLinesTable, kLimitsTable, kSessionsTable, kPastTable};

}  // namespace tribune::access
