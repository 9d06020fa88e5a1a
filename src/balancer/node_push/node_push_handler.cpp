#include "balancer/node_push/node_push_handler.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/ids.h"
#include "contracts/purge_mark.h"
#include "contracts/signed_body.h"

namespace tribune::balancer {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxPendingSegments = 1'024;  // of one node
constexpr auto kSegmentLifetime = 10s;              // older segments are not at the live edge
constexpr auto kPollGap = 500ms;                    // a node that listens polls again within this time

base::Counter node_push_polls_counter(base::Metrics& metrics, std::string_view result) {
  return metrics.counter("tribune_balancer_news_questions_total",
                         "Polls of cache nodes for pushed messages, by result.", {{"result", result}});
}

}  // namespace

NodePushHandler::NodePushHandler(const base::Clock& clock, base::Log& log, base::Metrics& metrics, NodeRegistry& nodes,
                                 const PublishedView& view, const Workers& workers)
    : clock_(clock),
      log_(log),
      nodes_(nodes),
      view_(view),
      workers_(workers),
      accepted_(node_push_polls_counter(metrics, "accepted")),
      refused_(node_push_polls_counter(metrics, "refused")),
      pushed_(metrics.counter("tribune_balancer_news_total",
                              "Announcements of new segments to cache nodes, counted once per node.")),
      covered_(
          metrics.counter("tribune_balancer_orders_covered_total",
                          "Queued purges of absent nodes that a newer purge made unnecessary, counted once per node.")),
      collapsed_(
          metrics.counter("tribune_balancer_orders_collapsed_total",
                          "Times that a node missed so many purges that it was ordered to drop all its objects.")),
      forgotten_(metrics.counter("tribune_balancer_orders_forgotten_total",
                                 "Queued warm-ups of absent nodes that were dropped because the queue was full.")),
      number_(std::chrono::duration_cast<std::chrono::microseconds>(clock.wall_now().time_since_epoch()).count()) {}
NodePushHandler::~NodePushHandler() = default;

base::Status NodePushHandler::load(OrderStore& store) {
  auto records = store.load(clock_.wall_now());
  if (!records) return tl::unexpected(records.error());
  const std::lock_guard lock(mutex_);
  store_ = &store;
  number_ = std::max(store.first_number(), number_);
  for (auto& record : *records) {
    PendingOrder pending{++number_,     std::make_shared<const contracts::NodeOrder>(std::move(record.order)),
                         false,         nullptr,
                         record.number, true};
    mailboxes_[record.node].orders.push_back(std::move(pending));
  }
  return {};
}

std::chrono::milliseconds NodePushHandler::publish_delay() const { return view_.get()->publish_delay; }

bool NodePushHandler::Mailbox::listens(base::SteadyTime now) const {
  return held || (answered && now - *answered < kPollGap);
}

// ---- polls of nodes ----

void NodePushHandler::answer(runtime::Worker& worker, std::unique_ptr<net::Exchange> exchange, std::string_view node) {
  contracts::NodePushPoll poll;
  if (is_draining_) return refuse(*exchange, refused_, http::problems::stopping, node, "");
  if (!authenticate(*exchange, node, poll)) return;
  accepted_.add();
  const auto held = std::make_shared<HeldPoll>();
  held->worker = worker.index;
  std::shared_ptr<HeldPoll> former;
  contracts::NodePush push_message;
  FinishedPushes done;
  Results results;
  {
    const std::lock_guard lock(mutex_);
    auto& mailbox = mailboxes_.find(node)->second;
    acknowledge(mailbox, poll.acknowledged, done);
    collect_results(poll.node, mailbox, std::move(poll.results), results);
    drop_expired(mailbox, clock_.steady_now(), done);
    former = std::exchange(mailbox.held, nullptr);
    push_message = next_push(mailbox);
    if (push_message.number == 0) {
      held->exchange = std::move(exchange);
      mailbox.held = held;
    } else {
      mailbox.answered = clock_.steady_now();
    }
  }
  if (former) release_later(poll.node, std::move(former));
  if (exchange)
    reply(*exchange, node, push_message);
  else
    hold(worker, poll.node, held);
  notify(done);
  for (const auto& [on_result, result] : results) {
    if (on_result)
      on_result(poll.node, result);
    else
      log_.info("balancer", "order_followed", {{"order", result.id}, {"node", poll.node}, {"problem", result.problem}});
  }
}

/// Returns whether the poll may be answered; otherwise it was refused. Creates the mailbox.
bool NodePushHandler::authenticate(net::Exchange& exchange, std::string_view node, contracts::NodePushPoll& poll) {
  const auto view = view_.get();
  const auto& request = exchange.request();
  const auto no = [&](const http::ProblemType& type, std::string_view why) {
    refuse(exchange, refused_, type, node, why);
    return false;
  };
  if (request.body.size() > contracts::kMaxQuestionBytes)
    return no(http::problems::body_too_large, "the body exceeds the maximum size");
  const auto signature = request.headers.first(contracts::kSignatureHeader).value_or("");
  const auto verified = contracts::verify_body(*view->keys, "POST " + contracts::news_path(node), request.body,
                                               signature, clock_.wall_now(), view->event->clock_skew);
  if (!verified) return no(http::problems::forbidden, verified.error().text);
  auto read = contracts::news_question_from_json(request.body);
  if (!read || read->node != node)
    return no(http::problems::bad_request,
              read ? "the node in the body differs from the node in the path" : read.error().text);
  poll = std::move(*read);
  const auto table = nodes_.table();
  const auto* known = table->find(node);
  if (!known) return no(http::problems::forbidden, "no node with this id is configured");
  if (known->last.run != poll.run)
    return no(http::problems::forbidden, "no heartbeat of this run of the node was received");
  bool is_new = true;
  {
    const std::lock_guard lock(mutex_);
    auto& mailbox = mailboxes_[poll.node];
    if (mailbox.run != poll.run) {
      mailbox.sequence = 0;
      for (auto& pending : mailbox.orders) {
        pending.number = ++number_;
        pending.is_received = false;
      }
    }
    is_new = poll.sequence > mailbox.sequence;
    if (is_new) {
      mailbox.run = poll.run;
      mailbox.sequence = poll.sequence;
    }
  }
  return is_new || no(http::problems::forbidden, "the poll is older than the previous one");
}

void NodePushHandler::hold(runtime::Worker& worker, const std::string& node, const std::shared_ptr<HeldPoll>& held) {
  held->exchange->on_gone([this, node, weak = std::weak_ptr<HeldPoll>(held)] {
    const auto gone = weak.lock();
    if (!gone) return;
    {
      const std::lock_guard lock(mutex_);
      auto& mailbox = mailboxes_.find(node)->second;
      if (mailbox.held == gone) mailbox.held.reset();
    }
    nodes_.connection_lost(node);
    gone->exchange.reset();
  });
  held->timeout = worker.loop.after(contracts::kNodePushHold, [this, node, weak = std::weak_ptr<HeldPoll>(held)] {
    if (const auto waiting = weak.lock()) release(node, waiting);
  });
  if (is_draining_) release(node, held);
}

/// Runs on the worker of the poll.
void NodePushHandler::release(const std::string& node, const std::shared_ptr<HeldPoll>& held) {
  if (!held->exchange) return;  // answered, or the connection is gone
  contracts::NodePush push_message;
  {
    const std::lock_guard lock(mutex_);
    auto& mailbox = mailboxes_.find(node)->second;
    if (mailbox.held == held) {
      push_message = next_push(mailbox);
      mailbox.held.reset();
      mailbox.answered = clock_.steady_now();
    }
  }
  const auto exchange = std::move(held->exchange);
  reply(*exchange, node, push_message);
}

/// Posts release() to the poll's worker, where the poll and its timer are destroyed, too.
void NodePushHandler::release_later(const std::string& node, std::shared_ptr<HeldPoll> held) {
  auto& loop = workers_[held->worker]->loop;
  loop.post([this, node, held = std::move(held)] { release(node, held); });
}

void NodePushHandler::reply(net::Exchange& exchange, std::string_view node,
                            const contracts::NodePush& push_message) const {
  const auto view = view_.get();
  auto body = contracts::to_json(push_message);
  http::Response response;
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  response.headers.add(contracts::kSignatureHeader,
                       contracts::sign_body(*view->keys, "200 " + contracts::news_path(node), body, clock_.wall_now()));
  response.body = std::move(body);
  exchange.reply(std::move(response));
}

void NodePushHandler::refuse(net::Exchange& exchange, base::Counter& counter, const http::ProblemType& type,
                             std::string_view node, std::string_view why) {
  counter.add();
  if (!why.empty())
    log_.debug("balancer", "news_refused", {{"node", node}, {"client", exchange.request().client}, {"reason", why}});
  exchange.reply(http::problem(type, why));
}

// ---- calls of other components ----

std::vector<std::string> NodePushHandler::push_segments(const std::vector<std::string>& nodes,
                                                        const std::vector<std::string>& targets,
                                                        const OnAcknowledged& on_acknowledged) {
  std::vector<std::pair<std::string, std::shared_ptr<HeldPoll>>> waiting;
  std::vector<std::string> listening;
  FinishedPushes done;
  {
    const std::lock_guard lock(mutex_);
    const auto now = clock_.steady_now();
    for (const auto& node : nodes) {
      const auto found = mailboxes_.find(node);
      if (found == mailboxes_.end() || !found->second.listens(now)) continue;
      auto& mailbox = found->second;
      listening.push_back(node);
      const auto push = std::make_shared<SegmentPush>();
      push->node = node;
      push->left = targets.size();
      push->on_acknowledged = on_acknowledged;
      for (const auto& target : targets) mailbox.segments.push_back({++number_, target, now, push});
      drop_expired(mailbox, now, done);
      if (mailbox.held) waiting.emplace_back(node, mailbox.held);
    }
  }
  pushed_.add(static_cast<double>(listening.size() * targets.size()));
  for (auto& [node, held] : waiting) release_later(node, std::move(held));
  notify(done);
  return listening;
}

bool NodePushHandler::push_order(const std::string& node, const std::shared_ptr<const contracts::NodeOrder>& order,
                                 Retention retention, OnResult on_result) {
  std::shared_ptr<HeldPoll> waiting;
  bool listens = false;
  {
    const std::lock_guard lock(mutex_);
    auto& mailbox = mailboxes_[node];
    listens = mailbox.listens(clock_.steady_now());
    if (!listens && retention == Retention::no) return false;
    const auto* purge = std::get_if<contracts::PurgeOrder>(&order->order);
    if (purge) drop_covered(node, mailbox, *purge);
    mailbox.orders.push_back({++number_, order, false, std::move(on_result), 0, !listens});
    if (store_ && purge) store_->save(node, mailbox.orders.back().stored_as = number_, *order);
    enforce_limits(node, mailbox);
    waiting = mailbox.held;
  }
  if (waiting) release_later(node, std::move(waiting));
  return listens;
}

bool NodePushHandler::accepts_purges(const std::vector<std::string>& nodes) const {
  const std::lock_guard lock(mutex_);
  const auto now = clock_.steady_now();
  return std::none_of(nodes.begin(), nodes.end(), [&](const std::string& node) {
    const auto found = mailboxes_.find(node);
    if (found == mailboxes_.end() || !found->second.listens(now)) return false;
    const auto& orders = found->second.orders;
    return std::count_if(orders.begin(), orders.end(), [](const PendingOrder& p) {
             return p.purge() && !p.was_missed;
           }) >= std::ptrdiff_t{kMaxPushedPurges};
  });
}

std::string NodePushHandler::new_order_id() {
  const std::lock_guard lock(mutex_);
  return store_ ? contracts::order_id(store_->issuer(), ++number_) : base::random_id(12);
}

void NodePushHandler::when_durable(std::function<void()> call) {
  if (!store_) return call();
  store_->when_durable(std::move(call));
}

bool NodePushHandler::has_missed_purges(std::string_view node) const {
  const std::lock_guard lock(mutex_);
  const auto mailbox = mailboxes_.find(node);
  if (mailbox == mailboxes_.end()) return false;
  const auto& orders = mailbox->second.orders;
  return std::any_of(orders.begin(), orders.end(),
                     [](const PendingOrder& pending) { return pending.is_missed_purge(); });
}

void NodePushHandler::erase_stored(const std::string& node, const PendingOrder& pending) {
  if (store_ && pending.stored_as > 0) store_->erase(node, pending.stored_as);
}

/// Removes missed purges that `newer` covers. A purge that the node has received stays until its result is reported.
void NodePushHandler::drop_covered(const std::string& node, Mailbox& mailbox, const contracts::PurgeOrder& newer) {
  std::erase_if(mailbox.orders, [&](const PendingOrder& pending) {
    if (!pending.was_missed || pending.is_received || !pending.purge() || !contracts::covers(newer, *pending.purge()))
      return false;
    erase_stored(node, pending);
    covered_.add();
    return true;
  });
}

/// Drops the oldest of too many other orders, and replaces too many missed purges by one order to drop everything.
/// Purges that were pushed to a listening node stay.
void NodePushHandler::enforce_limits(const std::string& node, Mailbox& mailbox) {
  const auto others =
      std::count_if(mailbox.orders.begin(), mailbox.orders.end(), [](const PendingOrder& p) { return !p.purge(); });
  if (others > std::ptrdiff_t{kMaxOtherOrders}) {
    mailbox.orders.erase(
        std::find_if(mailbox.orders.begin(), mailbox.orders.end(), [](const PendingOrder& p) { return !p.purge(); }));
    forgotten_.add();
  }
  const auto missed = std::count_if(mailbox.orders.begin(), mailbox.orders.end(),
                                    [](const PendingOrder& p) { return p.is_missed_purge(); });
  if (missed <= std::ptrdiff_t{kMaxMissedPurges}) return;
  bool soft = true;
  std::erase_if(mailbox.orders, [&](const PendingOrder& pending) {
    if (!pending.is_missed_purge()) return false;
    soft &= pending.purge()->soft;
    erase_stored(node, pending);
    return true;
  });
  contracts::NodeOrder all{store_ ? contracts::order_id(store_->issuer(), ++number_) : base::random_id(12),
                           contracts::PurgeOrder{contracts::PurgeOrder::By::all, "*", soft}};
  mailbox.orders.push_back(
      {++number_, std::make_shared<const contracts::NodeOrder>(std::move(all)), false, nullptr, 0, true});
  if (store_) store_->save(node, mailbox.orders.back().stored_as = number_, *mailbox.orders.back().order);
  collapsed_.add();
  log_.warning("balancer", "orders_collapsed", {{"node", node}, {"purges", kMaxMissedPurges}});
}

void NodePushHandler::drain() {
  is_draining_ = true;
  std::vector<std::pair<std::string, std::shared_ptr<HeldPoll>>> waiting;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [node, mailbox] : mailboxes_)
      if (mailbox.held) waiting.emplace_back(node, mailbox.held);
  }
  for (auto& [node, held] : waiting) release_later(node, std::move(held));
}

// ---- mailboxes ----

contracts::NodePush NodePushHandler::next_push(const Mailbox& mailbox) {
  contracts::NodePush push_message;
  // An acknowledgement covers all smaller numbers, so nothing after the first entry that does not fit may be sent.
  auto end = std::numeric_limits<std::int64_t>::max();
  std::size_t orders = 0;
  for (const auto& pending : mailbox.orders)
    if (!pending.is_received && ++orders > contracts::kMaxNewsOrders) end = std::min(end, pending.number);
  if (mailbox.segments.size() > contracts::kMaxNewsTargets)
    end = std::min(end, mailbox.segments[contracts::kMaxNewsTargets].number);
  for (const auto& pending : mailbox.orders) {
    if (pending.is_received || pending.number >= end) continue;
    push_message.orders.push_back(*pending.order);
    push_message.number = std::max(push_message.number, pending.number);
  }
  for (const auto& segment : mailbox.segments) {
    if (segment.number >= end) break;
    push_message.targets.push_back(segment.target);
    push_message.number = std::max(push_message.number, segment.number);
  }
  return push_message;
}

void NodePushHandler::collect_results(const std::string& node, Mailbox& mailbox,
                                      std::vector<contracts::OrderResult> found, Results& results) {
  for (auto& result : found) {
    const auto pending = std::find_if(mailbox.orders.begin(), mailbox.orders.end(),
                                      [&](const PendingOrder& p) { return p.order->id == result.id; });
    if (pending == mailbox.orders.end()) continue;  // reported twice
    erase_stored(node, *pending);
    results.emplace_back(std::move(pending->on_result), std::move(result));
    mailbox.orders.erase(pending);
  }
}

void NodePushHandler::acknowledge(Mailbox& mailbox, std::int64_t acknowledged, FinishedPushes& done) {
  while (!mailbox.segments.empty() && mailbox.segments.front().number <= acknowledged) {
    done.push_back(std::move(mailbox.segments.front().push));
    mailbox.segments.pop_front();
  }
  for (auto& pending : mailbox.orders) pending.is_received |= pending.number <= acknowledged;
}

void NodePushHandler::drop_expired(Mailbox& mailbox, base::SteadyTime now, FinishedPushes& done) {
  while (!mailbox.segments.empty() && (mailbox.segments.size() > kMaxPendingSegments ||
                                       now - mailbox.segments.front().pushed_at > kSegmentLifetime)) {
    done.push_back(std::move(mailbox.segments.front().push));
    mailbox.segments.pop_front();
  }
}

void NodePushHandler::notify(const FinishedPushes& done) {
  for (const auto& push : done)
    if (push && --push->left == 0 && push->on_acknowledged) push->on_acknowledged(push->node);
}

}  // namespace tribune::balancer
