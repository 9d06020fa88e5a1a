#pragma once
// Admission to an event: which visitors may watch now, which wait, and in what order. An event's balancer has one such
// object. It does not handle HTTP or signatures: the caller verifies tokens and tickets, and issues new ones. This
// class locks and coordinates; the parts decide:
//   AdmissionDecider   a decision about one visitor                    admission_decide.h
//   TicketScheduler    calls tickets, ends abandoned ones              ticket_scheduler.h
//   ChannelQueues      the queue of each channel, with its lanes       channel_queues.h, channel_queue.h, queue_lane.h
//   AdmittedSessions   sessions that watch, accounts, addresses        admitted_sessions.h
//   Capacity           limits and their use                            capacity.h, scope.h
//   AccessStore        reads and writes the state on disk              access_store.h
//   SharingCheck       networks that use one session                   sharing_check.h, concurrent_viewing.h
//
// States of a ticket
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

  /// Restores numbers, served positions, limits and sessions of the former run. Call it before the first decision, on
  /// the main thread; it reads and writes the disk. The sessions count at once, and are released like any that are not
  /// renewed. Later changes are written asynchronously. The store must have the tables of kAccessTables; without load()
  /// nothing is written.
  base::Status load(store::Store&);
  /// Whether newcomers are admitted at all: false from a start on a disk that takes no writes until it takes them. Any
  /// thread.
  bool admits() const;
  /// Call it on the main thread at a clean stop. It records whether sessions are watching, for the next start.
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

  /// Renews a session that requests a playlist.
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

  /// Records a fetch of a live media playlist of a paid channel, after renew() and before the answer. Call it for each
  /// media playlist that is sent, not for one that has ended and not for a multivariant playlist. A fetch that waited
  /// for a version is recorded when it is answered, and only if its connection is still open.
  ///   serve   also a session that is not known
  ///   refuse  two players watch the session, and this network came later: answer as for Renewal::shared
  ///   end     two players watched the session, and it is ended now: answer as for Renewal::ended
  enum class Progress { serve, refuse, end };
  Progress record_progress(SessionId, const PlaylistProgress&);

  /// Whether the session is known to watch, and whether the ticket is live or may be one of a former run. This depends
  /// on the state here, not on the times in tokens and tickets.
  bool is_watching(SessionId) const;
  bool is_waiting(std::string_view channel, const TicketClaim&) const;

  /// Counts the session at another node from now on. Without `must` (set for a session that cannot stay at its node),
  /// returns false and changes nothing when the node has no capacity. True for a session that is not counted.
  bool move(SessionId, const NodeRef&, bool must);
  /// Null while no group and no node has a limit. Takes no lock.
  std::shared_ptr<const NodeLimits> node_limits() const;

  /// Removes a ticket whose holder leaves the queue. False: the ticket was not live.
  bool cancel(std::string_view channel, const TicketClaim&);
  /// Ends a session that was stopped explicitly; its capacity goes to the next ticket in the queue. False: the session
  /// is not known.
  bool release(SessionId);
  /// As release() and cancel(), for a session or ticket that never reached the visitor. Nothing is remembered, because
  /// no token or ticket of it exists.
  void take_back(SessionId);
  void take_back(std::string_view channel, const TicketClaim&);
  /// As release(), but after kReturnTime, and only if the session is not renewed until then: a page that is reloaded
  /// closes first.
  bool leave(SessionId);

  /// Releases overdue sessions (`on_released` is called outside the lock), calls tickets, ends expired ones, and
  /// samples the speed of the queues. Call it every 100 ms from one worker.
  void tick(const std::function<void(SessionId)>& on_released = {});

  void measured(const Traffic&);

  AccessLimits limits() const;
  /// Replaces the limits that the JSON names, at once; they outlive restarts and override the configuration. Sessions
  /// above a new limit continue. `on_durable` runs on the store's thread once the limits are on disk, or the write
  /// failed (it is retried); it does not run when an error is returned.
  base::Status change_limits(std::string_view json, store::Store::OnCommitted on_durable = {});
  /// Restores the limits of the configuration.
  void reset_limits(store::Store::OnCommitted on_durable = {});

  /// An empty channel means the whole event.
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
