#pragma once
// The facts that a delivery has about its request and the cache's decision, and the response to a request that gets no
// object.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "cache_node/load/node_metrics.h"
#include "cache_node/objects/fill.h"
#include "cache_node/policy/retention_rules.h"
#include "http/cache_status.h"
#include "net/server/exchange.h"

namespace tribune::cache_node {

/// Whether the request began the fill, joined a running one, or found the object complete.
enum class CacheOutcome { began, waited, held };

/// The facts about a complete object that the response and the access log report.
struct ServedFromStore {
  http::CacheStatus cache;
  std::string_view log_value = "hit";  // for the access log: a literal
};

struct DeliveryFacts {
  std::string node;
  std::int64_t link_expires = 0;  // unix seconds
  CacheOutcome outcome = CacheOutcome::waited;
  std::atomic<std::uint64_t>* channel_bytes = nullptr;  // counts the bytes that are sent; null: no counter
  bool for_node = false;  // another node sent the request: it gets verdicts and "waiting" responses (peer_mark.h)
  Retention retention;
  ServedFromStore from_store;  // for CacheOutcome::held
  std::string vary = {};       // the request fields that select the object's variant
};

/// After this time without a first byte, a request of another node gets a "waiting" response. Less than any node's
/// answer_timeout, so that the other node does not consider this one dead.
inline constexpr std::chrono::milliseconds kNodeWaitLimit{300};

/// The response to another node when this node has lost the origin.
FillFailure no_origin_failure();

/// Sends the failure as a problem document, with the verdict when another node sent the request, and counts it.
void reply_with_failure(net::Exchange&, NodeMetrics&, const FillFailure&, bool for_node);

}  // namespace tribune::cache_node
