#pragma once
// GET /access_queue_switch: the simulation of an overload. Without a query it turns the simulation on or off for
// everything. ?state=on|off sets it; ?sessions=N and ?mbps=N simulate a load instead of closing; ?channel=ID restricts
// them to one channel. HEAD changes nothing. Only for operators (operator_rules.h).

#include <mutex>
#include <string>
#include <string_view>

#include "access/admission.h"
#include "balancer/settings/event_view.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/result.h"
#include "http/message.h"

namespace tribune::balancer {

/// The drill that a query requests.
struct DrillOrder {
  std::string channel;  // empty: everything
  access::Drill drill;
};
/// `now`: the present drill. Errors: invalid_input, fault client, also for an unknown or repeated parameter and for a
/// query that requests nothing.
base::Result<DrillOrder> drill_order(std::string_view query, const access::Drill& now);

/// Any thread; locks inside.
class OverloadDrillHandler {
 public:
  /// The parts outlive it.
  OverloadDrillHandler(base::Log&, base::Metrics&, access::Admission&, const PublishedView&);

  http::Response answer(const http::Request&);

 private:
  base::Log& log_;
  access::Admission& admission_;
  const PublishedView& view_;
  base::Counter used_, refused_;
  std::mutex mutex_;  // concurrent toggles see each other's result
};

}  // namespace tribune::balancer
