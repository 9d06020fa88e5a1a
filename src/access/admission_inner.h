#pragma once
// The parts of an Admission and their lock. Used by admission*.cpp alone.
//
// Locks: `mutex` guards all parts but `sessions`, `sharing` and Capacity::node_limits(), which lock inside and may be
// used under it, never the other way round. The number of sessions changes under `mutex` alone, so that no limit is
// exceeded between the check and the opening.

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "access/access_store.h"
#include "access/admission.h"
#include "access/admission_decide.h"
#include "access/admitted_sessions.h"
#include "access/capacity.h"
#include "access/channel_queues.h"
#include "access/sharing_check.h"
#include "access/ticket_scheduler.h"
#include "base/settled_wall_clock.h"

namespace tribune::access {

struct Admission::Inner {
  Inner(const base::Clock& c, base::Log& l, base::Metrics& m, const AccessSettings& s, std::size_t max_known,
        const ChannelLabelsPtr& labels);

  /// Call with the lock held. Also publishes the limits of nodes.
  void set_limits(AccessLimits);
  void publish_node_limits() { capacity.publish_node_limits(queues.least_kbps()); }
  /// Call with the lock held.
  base::Status restore(store::Store&, AccessStore::FormerRun);
  /// Call without the lock. nullopt: the request for the session may be served.
  std::optional<Renewal> check_sharing(SessionId, const Visitor&);
  /// Call with the lock held. Renews a session that is not known here, either no longer or not yet.
  Renewal readmit(SessionId, const Visitor&, std::chrono::milliseconds idle);

  const base::Clock& clock;
  base::Log& log;
  mutable std::mutex mutex;
  AccessSettings settings;
  bool limits_are_live = false;  // changed while running, in this run or a former one
  base::SteadyTime last_second{};
  base::SettledWallClock wall;  // for opening times

  Sessions sessions;
  SharingCheck sharing;
  Capacity capacity;
  AccessStore store;
  ChannelQueues queues;
  AdmittedSessions admitted;
  AddressCounts ticket_addresses;
  TicketScheduler scheduler;
  AdmissionDecider decider;
  base::Counter refused, uncounted;
};

}  // namespace tribune::access
