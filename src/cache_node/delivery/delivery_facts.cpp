#include "cache_node/delivery/delivery_facts.h"

#include "cache_node/filling/fill_response.h"
#include "http/problem.h"

namespace tribune::cache_node {

FillFailure no_origin_failure() {
  return {&http::problems::origin_unavailable, "this node cannot reach the origin", "no_origin"};
}

void reply_with_failure(net::Exchange& exchange, NodeMetrics& metrics, const FillFailure& failure, bool for_node) {
  metrics.failed.add();
  metrics.refused_with(*failure.problem, failure.status);
  exchange.note.reason = failure.reason;
  auto response = http::problem(*failure.problem, failure.detail);
  if (for_node) add_verdict(response.headers, failure);
  exchange.reply(std::move(response));
}

}  // namespace tribune::cache_node
