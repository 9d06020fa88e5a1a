#pragma once
// The operator's side of access, on the admin listener: GET, PUT and DELETE /limits, GET /queues, POST /queues/{channel}/open, POST /drill.

#include <string_view>
#include <vector>

#include "access/admission.h"
#include "balancer/event_view.h"
#include "balancer/kept_order.h"
#include "balancer/node_registry.h"
#include "base/log.h"
#include "http/message.h"
#include "runtime/role.h"

namespace tribune::balancer {

/// Any thread; locks inside.
class LimitsDesk {
 public:
  /// The parts outlive it.
  LimitsDesk(base::Log& log, access::Admission& admission, const NodeRegistry& nodes, const PublishedView& view)
      : log_(log), admission_(admission), nodes_(nodes), view_(view) {}

  std::vector<runtime::Route> routes();

 private:
  http::Response limits() const;
  http::Response change(const http::Request&, const OnKept&);
  http::Response reset(const http::Request&, const OnKept&);
  http::Response queues() const;
  http::Response open(std::string_view channel, const http::Request&);
  http::Response drill(const http::Request&);

  base::Log& log_;
  access::Admission& admission_;
  const NodeRegistry& nodes_;
  const PublishedView& view_;
};

}  // namespace tribune::balancer
