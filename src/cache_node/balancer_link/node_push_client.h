#pragma once
// Asks every balancer for news: segments that this node's viewers are about to ask for. The question is held at the
// balancer until there is news; the next one acknowledges what the last answer told, once its fills run. News bring an
// operator's orders too; how they ended is said at once, by a new question.

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

/// What it needs of the world; outlives it.
struct NodePushClientParts {
  const base::Clock& clock;
  base::Log& log;
  base::Metrics& metrics;
  const PublishedNodeView& view;
  const std::string& run;  // as in heartbeats
  /// Begins the fills of these links' targets unless they are here or under way, then calls back on this worker.
  std::function<void(std::vector<std::string> targets, std::function<void()> on_begun)> begin_fills;
  /// Follows an order and calls back once, on any thread.
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
    bool is_busy = false;                        // asking, or beginning fills
    std::deque<contracts::OrderResult> results;  // not known to be heard yet
    std::size_t results_sent = 0;                // of them, in the question that is under way
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
