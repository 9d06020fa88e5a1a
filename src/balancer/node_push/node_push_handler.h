#pragma once
// What cache nodes are told between heartbeats: POST /internal/v1/nodes/{id}/news. A node asks, the desk holds the
// question until there is news or kNodePushHold is over. Each node has a mailbox; what was told stays in it until the
// node's next question acknowledges it, so an answer that is lost on its way is told again.
//
// Lifetime of a notice
//   told        lies in the mailbox of a node that listens                               (tell)
//   sent        stands in an answer                                                      (answer)
//   taken       the node's next question acknowledged it: its fill runs, or it is there  (answer)
//   dropped     too old, or too many came after it                                       (tell)
//
// Lifetime of an order
//   given       lies in a node's mailbox, until the node returns if it is away; a purge lies on disk too   (order)
//   covered     a purge given to a node that is away goes when a newer one means all that it means         (order)
//   received    an acknowledged answer brought it; given anew to another run of the node (answer)
//   followed    a question brought its result                                            (answer)

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

/// Any thread; locks inside, never held while a question is answered or a caller is told. Destroyed after the workers'
/// loops have ended.
class NodePushHandler {
 public:
  using Workers = std::vector<std::unique_ptr<runtime::Worker>>;

  /// The parts outlive it.
  NodePushHandler(const base::Clock&, base::Log&, base::Metrics&, NodeRegistry&, const PublishedView&, const Workers&);
  ~NodePushHandler();

  /// What nodes have not followed of former runs' orders; from then on, purges are written down. Before the first
  /// question.
  base::Status load(OrderStore&);

  /// A node's question. It is believed when its signature fits, it is of the run that sends the node's heartbeats, and
  /// no replay.
  void answer(runtime::Worker&, std::unique_ptr<net::Exchange>, std::string_view node);

  using OnTaken = std::function<void(const std::string& node)>;
  /// Tells those of the nodes that listen, and returns which these are. `on_taken` runs once for each that has taken
  /// everything, on any worker's loop.
  std::vector<std::string> tell(const std::vector<std::string>& nodes, const std::vector<std::string>& targets,
                                const OnTaken& on_taken);

  enum class Retention { no, yes };
  using OnResult = std::function<void(const std::string& node, const contracts::OrderResult&)>;
  /// Gives an order to a node, and says whether the node listens; else it gets the order when it is back, if that is
  /// kept. `on_result` runs once, on any worker's loop, if the node ever says what became of it.
  bool order(const std::string& node, const std::shared_ptr<const contracts::NodeOrder>&, Retention,
             OnResult on_result);

  /// Whether each of the nodes that listens may be given another purge; those that are away are bounded by what they
  /// miss.
  bool has_room(const std::vector<std::string>& nodes) const;

  /// The id of a new order.
  std::string new_order_id();
  /// Calls back, on any thread, when the orders given so far are on disk.
  void when_durable(std::function<void()>);
  /// Whether the node missed purges that it has not followed yet: what it holds is not for others.
  bool is_behind(std::string_view node) const;

  /// What one node missed at most: beyond it, it gets the order to drop all that it holds.
  static constexpr std::size_t kMostPurges = 256;
  static constexpr std::size_t kMostGiven =
      4'096;  // purges that a node heard of, or is about to, and has not followed: no more are given
  static constexpr std::size_t kMostOthers =
      64;  // warm-ups and questions; an older one that was not followed is forgotten

  /// How long a new segment may be held back for nodes that do not acknowledge it.
  std::chrono::milliseconds publish_delay() const;

  /// Lets go of all questions, and holds none any more.
  void drain();

 private:
  /// What one node is told at a time.
  struct Telling {
    std::string node;
    std::atomic<std::size_t> left{0};
    OnTaken on_taken;
  };
  struct Notice {
    std::int64_t number = 0;
    std::string target;
    base::SteadyTime told{};
    std::shared_ptr<Telling> telling;
  };
  struct Parcel {
    std::int64_t number = 0;
    std::shared_ptr<const contracts::NodeOrder> order;
    bool is_received = false;
    OnResult on_result;
    std::int64_t kept = 0;    // its number on disk; 0: it is not there
    bool was_missed = false;  // the node was away when it was given
    const contracts::PurgeOrder* purge() const { return std::get_if<contracts::PurgeOrder>(&order->order); }
    bool is_missed_purge() const { return was_missed && purge(); }
  };
  struct Held {
    std::size_t worker = 0;
    std::unique_ptr<net::Exchange> exchange;  // this and the timer are touched by that worker alone
    net::Timer patience;
  };
  struct Mailbox {
    std::string run;
    std::int64_t sequence = 0;  // of the last question
    std::optional<base::SteadyTime> answered;
    std::deque<Notice> notices;
    std::deque<Parcel> orders;
    std::shared_ptr<Held> held;

    bool listens(base::SteadyTime now) const;
  };
  using Done = std::vector<std::shared_ptr<Telling>>;
  using Results = std::vector<std::pair<OnResult, contracts::OrderResult>>;

  bool believe(net::Exchange&, std::string_view node, contracts::NodePushPoll&);
  void hold(runtime::Worker&, const std::string& node, const std::shared_ptr<Held>&);
  void release(const std::string& node, const std::shared_ptr<Held>&);
  void release_later(const std::string& node, std::shared_ptr<Held>);
  void reply(net::Exchange&, std::string_view node, const contracts::NodePush&) const;
  void refuse(net::Exchange&, base::Counter&, const http::ProblemType&, std::string_view node, std::string_view why);
  static contracts::NodePush news_of(const Mailbox&);
  static void take(Mailbox&, std::int64_t acknowledged, Done&);
  void forget(const std::string& node, const Parcel&);
  void forget_covered(const std::string& node, Mailbox&, const contracts::PurgeOrder& newer);
  void bound(const std::string& node, Mailbox&);
  void take_results(const std::string& node, Mailbox&, std::vector<contracts::OrderResult>, Results&);
  static void drop(Mailbox&, base::SteadyTime now, Done&);
  static void tell_done(const Done&);

  const base::Clock& clock_;
  base::Log& log_;
  NodeRegistry& nodes_;
  const PublishedView& view_;
  const Workers& workers_;
  base::Counter accepted_, refused_, told_, covered_, collapsed_, forgotten_;
  OrderStore* book_ = nullptr;  // set before the first question
  std::atomic<bool> is_draining_{false};

  mutable std::mutex mutex_;                           // guards what follows
  std::int64_t number_;                                // of the last notice or order; grows over restarts
  std::map<std::string, Mailbox, std::less<>> boxes_;  // of configured nodes that asked
};

}  // namespace tribune::balancer
