#pragma once
// POST /internal/v1/access: the requests of apps, as the api role forwards them. It opens a session or queues a ticket,
// ends either, lists the caches to ping (cache_list_handler.h), and accepts reports of reachability (report_handler.h).
//
//   {"status":"granted", "session", "playback_url", "channel"}
//   {"status":"queued", "ticket", "channel", "lane", "number", "position", "ahead", "eta_seconds" (null: unknown),
//    "retry_after_seconds", "queue_url", "message"}
//   {"status":"full", "channel", "retry_after_seconds", "message"}
//   {"status":"stopped", "was_open"}
//
// All are 200, with Retry-After where the client should retry. A faulty request gets a 403 or 429 problem.

#include <optional>
#include <string>
#include <string_view>

#include "access/admission.h"
#include "balancer/access_http/cache_list_handler.h"
#include "balancer/access_http/report_handler.h"
#include "balancer/entitlements/paid_access.h"
#include "balancer/routing/session_router.h"
#include "balancer/sessions/session_pins.h"
#include "balancer/settings/event_view.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "contracts/access_request.h"
#include "http/message.h"

namespace tribune::balancer {

/// Any thread; locks inside.
class AccessHandler {
 public:
  /// The parts outlive it.
  AccessHandler(const base::Clock&, base::Log&, base::Metrics&, access::Admission&, SessionPins&, SessionRouter&,
                PaidAccess&, const PublishedView&);

  http::Response answer(const http::Request&);

 private:
  http::Response open(const contracts::AccessRequest&, const EventView&);
  http::Response granted(const contracts::AccessRequest&, const EventView&, const contracts::Channel&,
                         const access::Granted&, const contracts::Owner&);
  http::Response queued(const contracts::AccessRequest&, const EventView&, const contracts::Channel&,
                        const access::Queued&, const contracts::Owner&);
  http::Response refused(const contracts::Channel&, const access::Refused&);
  http::Response stop(const contracts::AccessRequest&, const EventView&);
  std::optional<http::Response> refusal_of(const contracts::AccessRequest&, const contracts::Channel&,
                                           const contracts::Owner&, const std::optional<access::TicketClaim>&);
  bool has_lane(const contracts::Channel&, std::string_view name) const;
  bool end(access::SessionId, contracts::AccessRequest::Action how);
  /// Removes the pins and the routing of a session that has ended.
  void forget(access::SessionId);

  const base::Clock& clock_;
  base::Log& log_;
  access::Admission& admission_;
  SessionPins& pins_;
  SessionRouter& router_;
  PaidAccess& paid_access_;
  const PublishedView& view_;
  ReportHandler reports_;
  CacheListHandler caches_;
  base::Counter granted_, queued_, full_, refused_, stopped_, forged_;
};

}  // namespace tribune::balancer
