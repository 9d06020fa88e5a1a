#include "cache_node/request/media_flow_parts.h"

#include <algorithm>

#include "http/problem.h"

namespace tribune::cache_node {

std::int64_t MediaFlowParts::age(std::int64_t stored) const {
  return std::max<std::int64_t>(base::unix_seconds(clock.wall_now()) - stored, 0);
}

void refuse(net::Exchange& exchange, base::Counter& counter, const http::ProblemType& type, std::string_view detail,
            std::string_view reason) {
  counter.add();
  exchange.note.reason = reason;
  exchange.reply(http::problem(type, detail));
}

void refuse_overloaded(net::Exchange& exchange, NodeMetrics& metrics, std::string_view detail,
                       std::string_view reason) {
  metrics.refused_with(http::problems::overloaded);
  refuse(exchange, metrics.failed, http::problems::overloaded, detail, reason);
}

}  // namespace tribune::cache_node
