#pragma once
// The counters of viewers' requests.

#include <cstddef>
#include <string_view>
#include <vector>

#include "base/metrics.h"

namespace tribune::balancer {

/// The kind of a request.
enum class FlowKind { session, multivariant, media, segment, document };

/// The result of a request. `waiting`: a playlist of the slate; `queued`: a 403 instead of it; `refused`: by the rules
/// of the queue; `not_entitled`: to a paid channel.
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
  session_ended,
  not_entitled
};

/// The result in the metrics and the access log; a literal.
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
