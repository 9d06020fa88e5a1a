#pragma once
// Orders of an operator to all cache nodes, on the balancer's admin listener: purge, warm-up, and the progress of a
// warm-up. The node push delivers them, and the response states the outcome for each node. The response waits for the
// nodes until order_deadline. A node that is absent by then is listed and executes the order when it returns: a purge
// even after a restart of this balancer, a warm-up while this balancer runs.

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "balancer/node_push/node_push_handler.h"
#include "balancer/nodes/node_registry.h"
#include "balancer/settings/event_view.h"
#include "base/log.h"
#include "contracts/order.h"
#include "runtime/role.h"

namespace tribune::balancer {

/// Any thread; each request stays on its worker. Destroyed after the workers' loops have ended.
class OrderHandler {
 public:
  /// The parts outlive it.
  OrderHandler(base::Log&, NodePushHandler&, const NodeRegistry&, const PublishedView&, std::size_t workers);
  ~OrderHandler();

  /// POST /nodes/purge, POST /nodes/warm, GET /nodes/warm/{job}; each takes ?nodes=a,b
  std::vector<runtime::Route> routes();

 private:
  using Exchange = std::unique_ptr<net::Exchange>;
  struct OrderRequest;
  using OrderRequestPtr = std::shared_ptr<OrderRequest>;

  void push(runtime::Worker&, Exchange, contracts::Order, std::string_view job);
  void add_result(const OrderRequestPtr&, const std::string& node, const contracts::OrderResult&);
  void on_saved(const OrderRequestPtr&);
  void finish(const OrderRequestPtr&);

  base::Log& log_;
  NodePushHandler& push_handler_;
  const NodeRegistry& nodes_;
  const PublishedView& view_;
  std::vector<std::set<OrderRequestPtr>> requests_;  // by worker; used only by that worker
};

}  // namespace tribune::balancer
