#pragma once
// The node's doors for orders: its admin listener, signed ones on the front, and those that news bring.

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "cache_node/node_view.h"
#include "cache_node/upkeep/purge.h"
#include "cache_node/upkeep/warm_up.h"
#include "contracts/node_news.h"
#include "net/exchange.h"
#include "runtime/role.h"

namespace tribune::cache_node {

/// Any thread; locks inside.
class Orders {
 public:
  /// The parts outlive it.
  Orders(const base::Clock&, const PublishedNodeView&, Purge&, WarmUp&);

  /// What a balancer's news bring. `on_result` runs once, on any thread.
  void follow(const contracts::NodeOrder&, std::function<void(contracts::OrderResult)> on_result);

  /// POST /cache/purge, POST /cache/warm, GET /cache/warm/{job}
  std::vector<runtime::Route> admin_routes();
  /// POST /internal/v1/nodes/{id}/orders
  runtime::Route internal_route();

 private:
  using Exchange = std::unique_ptr<net::Exchange>;
  using Finish = std::function<http::Response(std::string body)>;

  void internal(runtime::Worker&, Exchange, std::string_view node);
  void follow(runtime::Worker&, Exchange, const contracts::Order&, Finish);
  contracts::PurgeOrder named(contracts::PurgeOrder) const;
  bool may_vary(const contracts::PurgeOrder&) const;
  void purge(runtime::Worker&, Exchange, const contracts::PurgeOrder&, Finish);

  const base::Clock& clock_;
  const PublishedNodeView& view_;
  Purge& purge_;
  WarmUp& warm_up_;
};

}  // namespace tribune::cache_node
