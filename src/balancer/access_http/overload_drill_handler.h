#pragma once
// GET /access_queue_switch: the rehearsal of an overload. Without a query it turns the emulation on or off for
// everything; ?state=on|off sets it; ?sessions=N and ?mbps=N pretend a load instead of closing; ?channel=ID beside them
// means one channel. HEAD changes nothing. Only for operators (operator_rules.h).

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

/// What the query asks for, on top of what is in force. Errors: invalid_input, fault client, also for a parameter that
/// is not known, that comes twice, or that does not say what is to be.
struct DrillOrder {
  std::string channel;  // empty: everything
  access::Drill drill;
};
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
  std::mutex mutex_;  // of two who toggle, one sees what the other did
};

}  // namespace tribune::balancer
