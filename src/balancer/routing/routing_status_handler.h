#pragma once
// Routing for the operator, on the admin listener:
//
//   GET  /status/route?client=A&channel=C[&cache=ID][&receipt=R][&gone=ID]    explains the choice of the node
//   POST /nodes/{id}/drain, /nodes/{id}/undrain                     {"node", "draining", "viewers"}
//
// A drained node stays drained across a restart, and from the response on even when the process is killed.

#include <string>
#include <string_view>
#include <vector>

#include "balancer/nodes/node_registry.h"
#include "balancer/routing/session_router.h"
#include "balancer/settings/event_view.h"
#include "base/clock.h"
#include "http/message.h"
#include "runtime/durable_reply.h"
#include "runtime/role.h"
#include "store/store.h"

namespace tribune::balancer {

inline constexpr std::string_view kDrainsTable = "drains";

/// Any thread; locks inside.
class RoutingStatusHandler {
 public:
  /// The parts must outlive it.
  RoutingStatusHandler(const base::Clock& clock, NodeRegistry& nodes, const SessionRouter& router,
                       const PublishedView& view)
      : clock_(clock), nodes_(nodes), router_(router), view_(view) {}

  /// Drains the nodes that were drained before the restart. Call it before the workers run, once the nodes are
  /// configured. The store must outlive the routes of the handler.
  base::Status load(store::Store&);
  std::vector<runtime::Route> routes();

 private:
  http::Response route(const http::Request&) const;
  runtime::RouteHandler drain_handler(bool on);
  http::Response drain(std::string_view node, bool on, const runtime::OnDurable&);

  const base::Clock& clock_;
  NodeRegistry& nodes_;
  const SessionRouter& router_;
  const PublishedView& view_;
  store::Store* store_ = nullptr;
};

}  // namespace tribune::balancer
