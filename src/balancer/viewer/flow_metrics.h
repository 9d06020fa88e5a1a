#pragma once
// The counters of viewers' requests.

#include <cstddef>
#include <string_view>
#include <vector>

#include "base/metrics.h"

namespace tribune::balancer {

/// What was asked for.
enum class FlowKind { session, multivariant, media, segment, document };

/// What became of it. `waiting`: the waiting room's playlist; `queued`: a 403 instead of it; `refused`: by the queue's
/// rules.
enum class FlowResult {
  ok,
  not_modified,
  stale,
  channel_unknown,
  session_invalid,
  link_invalid,
  link_expired,
  full,
  no_key,
  no_node,
  source_failed,
  gone,
  waiting,
  queued,
  refused,
  ticket_invalid,
  session_ended
};

/// The result as the metrics and the access log print it; a literal.
std::string_view to_string(FlowResult);

/// Any thread.
class FlowMetrics {
 public:
  explicit FlowMetrics(base::Metrics&);
  void count(FlowKind, FlowResult);

 private:
  std::vector<base::Counter> counters_;
};

}  // namespace tribune::balancer
