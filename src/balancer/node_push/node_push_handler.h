#pragma once
// POST /internal/v1/nodes/{id}/news: a long poll by which cache nodes receive new segments and orders between
// heartbeats. The handler holds a poll until there is something to push, or until kNodePushHold is over. Each node has
// a mailbox; its entries stay until the node's next poll acknowledges them, so that a lost response is sent again.
//
// Lifetime of a pending segment
//   queued        in the mailbox of a node that listens                                       (push_segments)
//   sent          in a response                                                               (answer)
//   acknowledged  by the node's next poll: the node fills the segment, or has it              (answer)
//   dropped       too old, or too many followed it                                            (push_segments)
//
// Lifetime of an order
//   queued        in the node's mailbox until the node returns; a purge is also on disk       (push_order)
//   covered       a purge for an absent node is removed when a newer one includes it          (push_order)
//   received      by an acknowledged response; sent again to another run of the node          (answer)
//   completed     a poll reported its result                                                   (answer)

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "balancer/node_push/order_store.h"
#include "balancer/nodes/node_registry.h"
#include "balancer/settings/event_view.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "contracts/node_push.h"
#include "http/problem.h"
#include "net/server/exchange.h"
#include "runtime/role.h"

namespace tribune::balancer {

/// Any thread; locks inside. No lock is held while a poll is answered or a callback runs. Destroyed after the workers'
/// loops have ended.
class NodePushHandler {
 public:
  using Workers = std::vector<std::unique_ptr<runtime::Worker>>;

  /// The parts outlive it.
  NodePushHandler(const base::Clock&, base::Log&, base::Metrics&, NodeRegistry&, const PublishedView&, const Workers&);
  ~NodePushHandler();

  /// Loads the orders of former runs that nodes have not completed. From then on purges are saved. Call it before the
  /// first poll.
  base::Status load(OrderStore&);

  /// Answers a node's poll. A poll is accepted when its signature is valid, it comes from the run that sends the node's
  /// heartbeats, and it is not a replay.
  void answer(runtime::Worker&, std::unique_ptr<net::Exchange>, std::string_view node);

  using OnAcknowledged = std::function<void(const std::string& node)>;
  /// Queues the segments for the nodes that listen, and returns these nodes. `on_acknowledged` runs once for each of
  /// them, on any worker's loop, when it has acknowledged all segments.
  std::vector<std::string> push_segments(const std::vector<std::string>& nodes, const std::vector<std::string>& targets,
                                         const OnAcknowledged& on_acknowledged);

  enum class Retention { no, yes };
  using OnResult = std::function<void(const std::string& node, const contracts::OrderResult&)>;
  /// Queues an order for a node, and returns whether the node listens. A node that does not listen receives the order
  /// when it returns, unless `Retention::no` is given. `on_result` runs at most once, on any worker's loop, when the
  /// node reports the result.
  bool push_order(const std::string& node, const std::shared_ptr<const contracts::NodeOrder>&, Retention,
                  OnResult on_result);

  /// Whether another purge may be queued for every node that listens. The orders of absent nodes have separate bounds.
  bool accepts_purges(const std::vector<std::string>& nodes) const;

  /// The id of a new order.
  std::string new_order_id();
  /// Calls back, on any thread, when the orders queued so far are on disk.
  void when_durable(std::function<void()>);
  /// Whether the node has purges left that it missed while it was absent. Other nodes must not fill from it.
  bool has_missed_purges(std::string_view node) const;

  /// Purges that an absent node may miss. With more, it receives one order to drop everything that it stores.
  static constexpr std::size_t kMaxMissedPurges = 256;
  static constexpr std::size_t kMaxPushedPurges =
      4'096;  // purges that a listening node has not completed; further ones are refused
  static constexpr std::size_t kMaxOtherOrders = 64;  // warm-ups and progress requests; the oldest is dropped

  /// How long a snapshot may be held for nodes that do not acknowledge its segments.
  std::chrono::milliseconds publish_delay() const;

  /// Answers all held polls; from now on polls are answered at once.
  void drain();

 private:
  /// One call of push_segments() for one node.
  struct SegmentPush {
    std::string node;
    std::atomic<std::size_t> left{0};
    OnAcknowledged on_acknowledged;
  };
  struct PendingSegment {
    std::int64_t number = 0;
    std::string target;
    base::SteadyTime pushed_at{};
    std::shared_ptr<SegmentPush> push;
  };
  struct PendingOrder {
    std::int64_t number = 0;
    std::shared_ptr<const contracts::NodeOrder> order;
    bool is_received = false;
    OnResult on_result;
    std::int64_t stored_as = 0;  // its number on disk; 0: not stored
    bool was_missed = false;     // the node was absent when the order was given
    const contracts::PurgeOrder* purge() const { return std::get_if<contracts::PurgeOrder>(&order->order); }
    bool is_missed_purge() const { return was_missed && purge(); }
  };
  struct HeldPoll {
    std::size_t worker = 0;
    std::unique_ptr<net::Exchange> exchange;  // used only by that worker, as is the timer
    net::Timer timeout;
  };
  struct Mailbox {
    std::string run;
    std::int64_t sequence = 0;  // of the last poll
    std::optional<base::SteadyTime> answered;
    std::deque<PendingSegment> segments;
    std::deque<PendingOrder> orders;
    std::shared_ptr<HeldPoll> held;

    bool listens(base::SteadyTime now) const;
  };
  using FinishedPushes = std::vector<std::shared_ptr<SegmentPush>>;
  using Results = std::vector<std::pair<OnResult, contracts::OrderResult>>;

  bool authenticate(net::Exchange&, std::string_view node, contracts::NodePushPoll&);
  void hold(runtime::Worker&, const std::string& node, const std::shared_ptr<HeldPoll>&);
  void release(const std::string& node, const std::shared_ptr<HeldPoll>&);
  void release_later(const std::string& node, std::shared_ptr<HeldPoll>);
  void reply(net::Exchange&, std::string_view node, const contracts::NodePush&) const;
  void refuse(net::Exchange&, base::Counter&, const http::ProblemType&, std::string_view node, std::string_view why);
  static contracts::NodePush next_push(const Mailbox&);
  static void acknowledge(Mailbox&, std::int64_t acknowledged, FinishedPushes&);
  void erase_stored(const std::string& node, const PendingOrder&);
  void drop_covered(const std::string& node, Mailbox&, const contracts::PurgeOrder& newer);
  void enforce_limits(const std::string& node, Mailbox&);
  void collect_results(const std::string& node, Mailbox&, std::vector<contracts::OrderResult>, Results&);
  static void drop_expired(Mailbox&, base::SteadyTime now, FinishedPushes&);
  static void notify(const FinishedPushes&);

  const base::Clock& clock_;
  base::Log& log_;
  NodeRegistry& nodes_;
  const PublishedView& view_;
  const Workers& workers_;
  base::Counter accepted_, refused_, pushed_, covered_, collapsed_, forgotten_;
  OrderStore* store_ = nullptr;  // set before the first poll
  std::atomic<bool> is_draining_{false};

  mutable std::mutex mutex_;                               // guards what follows
  std::int64_t number_;                                    // of the last segment or order; grows across restarts
  std::map<std::string, Mailbox, std::less<>> mailboxes_;  // of configured nodes that have polled
};

}  // namespace tribune::balancer
