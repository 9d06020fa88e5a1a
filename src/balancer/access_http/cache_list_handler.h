#pragma once
// GET /api/v1/caches?channel=, as the api role forwards it: the nodes that a client should ping.
//
//   {"caches": [{"id", "url", "ping_url", "group", "order"}], "ttl_seconds"}     the best first; `order` counts from 1

#include <chrono>

#include "balancer/routing/session_router.h"
#include "balancer/settings/event_view.h"
#include "contracts/access_request.h"
#include "http/message.h"

namespace tribune::balancer {

/// How long a client should use a list before it requests it again.
inline constexpr std::chrono::seconds kCacheListLifetime{60};

/// Any thread. The router outlives it.
class CacheListHandler {
 public:
  explicit CacheListHandler(const SessionRouter& router) : router_(router) {}

  /// The request was verified to come from the api.
  http::Response answer(const contracts::AccessRequest&, const EventView&) const;

 private:
  const SessionRouter& router_;
};

}  // namespace tribune::balancer
