#pragma once
// Decides about one visitor: a session, a ticket, or a refusal. A newcomer gets a session when there is capacity, else
// a ticket; the holder of a ticket gets its session once the ticket was called. It calls no tickets: ticket_scheduler.h
// does this.

#include <chrono>
#include <optional>
#include <string_view>

#include "access/access_settings.h"
#include "access/access_store.h"
#include "access/address_counts.h"
#include "access/admission_types.h"
#include "access/admitted_sessions.h"
#include "access/capacity.h"
#include "access/channel_queues.h"
#include "access/ticket_scheduler.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

namespace tribune::access {

/// Owned by its Admission, under whose lock it is used. The parts outlive it.
class AdmissionDecider {
 public:
  struct Parts {
    const AccessSettings& settings;
    Capacity& capacity;
    ChannelQueues& queues;
    AdmittedSessions& sessions;
    TicketScheduler& scheduler;
    AccessStore& store;
    AddressCounts& ticket_addresses;  // waiting tickets by client address
  };
  AdmissionDecider(const base::Clock&, base::Log&, base::Metrics&, const Parts&);

  Decision newcomer(ChannelQueue&, const Visitor&, std::chrono::milliseconds idle);
  /// Decides about a visitor whose ticket names no session that watches.
  Decision ticket_holder(ChannelQueue&, const Visitor&, const TicketClaim&, std::chrono::milliseconds idle);

  /// The scopes where a session that is not known may continue: those with capacity for a newcomer or, in the grace
  /// after a restart, or while nobody is admitted, those with capacity beside the restored sessions.
  std::optional<ScopeSet> find_for_returning(const ChannelQueue&, const NodeScopesList&);

  /// Whether the ticket waits, is called, or may have been issued by a former run.
  bool is_live(ChannelQueue&, const TicketClaim&) const;
  /// Removes the ticket from the queue. False when the ticket is not live.
  bool cancel(ChannelQueue&, const TicketClaim&);

 private:
  std::optional<ScopeSet> find_for_newcomer(const ChannelQueue&, const NodeScopesList&);
  Decision enqueue(ChannelQueue&, const Visitor&, const NodeScopesList&);
  Decision claim(ChannelQueue&, QueueLane&, const Visitor&, const TicketClaim&, TicketEntry&,
                 std::chrono::milliseconds idle);
  Decision after_its_turn(ChannelQueue&, const Visitor&, const TicketClaim&, bool was_claimed,
                          std::chrono::milliseconds idle);
  void update_nodes(ChannelQueue&, QueueLane&, std::uint64_t number, TicketEntry&, const Visitor&);
  void record_poll(QueueLane&, const Visitor&, const TicketClaim&, TicketEntry&);
  Queued queued(const ChannelQueue&, QueueLane&, const TicketClaim&, bool is_new) const;
  void log(std::string_view event, const QueueLane& lane, std::uint64_t number) {
    log_ticket(log_, p_.capacity.scopes().global(), event, lane, number);
  }

  const base::Clock& clock_;
  base::Log& log_;
  const Parts p_;
  base::Counter granted_, queued_;
};

}  // namespace tribune::access
