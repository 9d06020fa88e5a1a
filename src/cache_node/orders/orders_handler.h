#pragma once
// The interfaces for orders: the admin listener, signed requests on the front listener, and messages pushed by
// balancers.

#include <atomic>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "cache_node/filling/known_purges.h"
#include "cache_node/orders/purge.h"
#include "cache_node/orders/warm_up.h"
#include "cache_node/settings/node_view.h"
#include "contracts/node_push.h"
#include "net/server/exchange.h"
#include "runtime/role.h"

namespace tribune::cache_node {

/// Any thread; locks inside.
class OrdersHandler {
 public:
  /// The parts outlive it; KnownPurges also outlives the maintenance thread.
  OrdersHandler(const base::Clock&, const PublishedNodeView&, Purge&, KnownPurges&, WarmUp&);

  /// An order that a balancer pushed. `on_result` runs once, on any thread.
  void execute(const contracts::NodeOrder&, std::function<void(contracts::OrderResult)> on_result);

  /// The purges that another node lists in its request. True when all have been executed here. Those that have not
  /// begin now.
  bool ensure_executed(std::string_view purge_marks);

  /// POST /cache/purge, POST /cache/warm, GET /cache/warm/{job}
  std::vector<runtime::Route> admin_routes();
  /// POST /internal/v1/nodes/{id}/orders
  runtime::Route internal_route();

 private:
  using Exchange = std::unique_ptr<net::Exchange>;
  using Finish = std::function<http::Response(std::string body)>;

  void internal(runtime::Worker&, Exchange, std::string_view node);
  void execute(runtime::Worker&, Exchange, const contracts::Order&, Finish);
  contracts::PurgeOrder with_stored_key(contracts::PurgeOrder) const;
  bool may_vary(const contracts::PurgeOrder&) const;
  void purge(runtime::Worker&, Exchange, const contracts::PurgeOrder&, Finish);
  void run_purge(const contracts::NamedPurge&, std::function<void(base::Result<std::uint64_t>)> on_done);

  const base::Clock& clock_;
  const PublishedNodeView& view_;
  Purge& purge_;
  KnownPurges& known_;
  WarmUp& warm_up_;
  const std::string issuer_;             // issuer of orders that do not come from a balancer
  std::atomic<std::int64_t> number_{0};  // number of the last such order
};

}  // namespace tribune::cache_node
