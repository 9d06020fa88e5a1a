#pragma once
// An operator's orders to all cache nodes, on the balancer's admin listener: purge, warm up, ask how far a warm-up is.
// The news carry them to the nodes; the answer says for each node what became of the order. It waits for them until
// order_deadline; a node that is away by then is named, and follows when it is back: a purge whatever becomes of this
// balancer, a warm-up as long as it runs.

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
  struct Asked;
  using AskedPtr = std::shared_ptr<Asked>;

  void give(runtime::Worker&, Exchange, contracts::Order, std::string_view job);
  void heard(const AskedPtr&, const std::string& node, const contracts::OrderResult&);
  void kept(const AskedPtr&);
  void finish(const AskedPtr&);

  base::Log& log_;
  NodePushHandler& news_;
  const NodeRegistry& nodes_;
  const PublishedView& view_;
  std::vector<std::set<AskedPtr>> asked_;  // by worker, touched by it alone
};

}  // namespace tribune::balancer
