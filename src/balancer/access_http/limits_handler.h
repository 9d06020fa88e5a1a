#pragma once
// Operations of access on the admin listener: GET, PUT and DELETE /limits, GET /queues, POST /queues/{channel}/open,
// POST /drill.

#include <string_view>
#include <vector>

#include "access/admission.h"
#include "balancer/nodes/node_registry.h"
#include "balancer/settings/event_view.h"
#include "base/log.h"
#include "http/message.h"
#include "runtime/durable_reply.h"
#include "runtime/role.h"

namespace tribune::balancer {

/// Any thread; locks inside.
class LimitsHandler {
 public:
  /// The parts outlive it.
  LimitsHandler(base::Log& log, access::Admission& admission, const NodeRegistry& nodes, const PublishedView& view)
      : log_(log), admission_(admission), nodes_(nodes), view_(view) {}

  std::vector<runtime::Route> routes();

 private:
  http::Response limits() const;
  http::Response change(const http::Request&, const runtime::OnDurable&);
  http::Response reset(const http::Request&, const runtime::OnDurable&);
  http::Response queues() const;
  http::Response open(std::string_view channel, const http::Request&);
  http::Response drill(const http::Request&);

  base::Log& log_;
  access::Admission& admission_;
  const NodeRegistry& nodes_;
  const PublishedView& view_;
};

}  // namespace tribune::balancer
