#pragma once
// Polls every balancer for messages: announced segments that this node's viewers will request next, and an operator's
// orders. The balancer holds the request until it has a message; the next request acknowledges the last message once
// its fills run. Results of orders are sent at once, by a new request.

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/result.h"
#include "cache_node/settings/node_view.h"
#include "contracts/node_push.h"
#include "runtime/role.h"

namespace tribune::cache_node {

/// The parts that the client uses. They outlive it.
struct NodePushClientParts {
  const base::Clock& clock;
  base::Log& log;
  base::Metrics& metrics;
  const PublishedNodeView& view;
  const std::string& run;  // the run id of the heartbeats
  /// Begins the fills of these links' targets unless they are stored or being filled, then calls back on this worker.
  std::function<void(std::vector<std::string> targets, std::function<void()> on_begun)> begin_fills;
  /// Executes an order and calls back once, on any thread.
  std::function<void(const contracts::NodeOrder&, std::function<void(contracts::OrderResult)> on_result)> execute;
};

/// Owned by one worker.
class NodePushClient {
 public:
  NodePushClient(NodePushClientParts, runtime::Worker&);
  ~NodePushClient();

  void start();
  void stop();

 private:
  struct Balancer {
    std::string url;
    std::int64_t acknowledged = 0;
    std::unique_ptr<net::Fetch> fetch;
    net::Timer retry;
    base::SteadyTime requested_at{};
    bool is_busy = false;                        // a request is in progress, or fills are being begun
    std::deque<contracts::OrderResult> results;  // not acknowledged yet
    std::size_t results_sent = 0;                // number of them in the current request
  };
  using BalancerPtr = std::shared_ptr<Balancer>;

  void update_balancers();
  void request(const BalancerPtr&);
  void request_later(const BalancerPtr&, std::chrono::milliseconds);
  void execute(const BalancerPtr&, const std::vector<contracts::NodeOrder>&);
  void on_executed(const BalancerPtr&, contracts::OrderResult);
  void on_response(const BalancerPtr&, const base::Result<net::WholeAnswer>&);
  base::Result<contracts::NodePush> read(const net::WholeAnswer&) const;

  const NodePushClientParts parts_;
  runtime::Worker& worker_;
  base::Counter taken_, failed_;
  std::int64_t sequence_ = 0;
  bool is_stopped_ = false;
  net::Timer timer_;
  std::vector<BalancerPtr> balancers_;
};

}  // namespace tribune::cache_node
