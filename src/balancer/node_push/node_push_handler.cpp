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

constexpr std::size_t kMaxNotices = 1'024;  // of one node
constexpr auto kKept = 10s;                 // what is older is no news at a live edge
constexpr auto kBetweenQuestions = 500ms;   // a node that listens has asked again by then

base::Counter counter(base::Metrics& metrics, std::string_view result) {
  return metrics.counter("tribune_balancer_news_questions_total",
                         "Cache nodes' questions for news, by what became of them.", {{"result", result}});
}

}  // namespace

NodePushHandler::NodePushHandler(const base::Clock& clock, base::Log& log, base::Metrics& metrics, NodeRegistry& nodes,
                                 const PublishedView& view, const Workers& workers)
    : clock_(clock),
      log_(log),
      nodes_(nodes),
      view_(view),
      workers_(workers),
      accepted_(counter(metrics, "accepted")),
      refused_(counter(metrics, "refused")),
      told_(metrics.counter("tribune_balancer_news_total",
                            "New segments that cache nodes were told of, once for each node.")),
      covered_(metrics.counter("tribune_balancer_orders_covered_total",
                               "Purges for absent nodes that a newer one made needless, once for each node.")),
      collapsed_(
          metrics.counter("tribune_balancer_orders_collapsed_total",
                          "Times that a node missed so many purges that it was told to drop all that it holds.")),
      forgotten_(metrics.counter("tribune_balancer_orders_forgotten_total",
                                 "Warm-ups for absent nodes that were forgotten because too many came after them.")),
      number_(std::chrono::duration_cast<std::chrono::microseconds>(clock.wall_now().time_since_epoch()).count()) {}
NodePushHandler::~NodePushHandler() = default;

base::Status NodePushHandler::load(OrderStore& book) {
  auto records = book.load(clock_.wall_now());
  if (!records) return tl::unexpected(records.error());
  const std::lock_guard lock(mutex_);
  book_ = &book;
  number_ = std::max(book.first_number(), number_);
  for (auto& record : *records) {
    Parcel parcel{++number_,     std::make_shared<const contracts::NodeOrder>(std::move(record.order)),
                  false,         nullptr,
                  record.number, true};
    boxes_[record.node].orders.push_back(std::move(parcel));
  }
  return {};
}

std::chrono::milliseconds NodePushHandler::publish_delay() const { return view_.get()->publish_delay; }

bool NodePushHandler::Mailbox::listens(base::SteadyTime now) const {
  return held || (answered && now - *answered < kBetweenQuestions);
}

// ---- the nodes' side ----

void NodePushHandler::answer(runtime::Worker& worker, std::unique_ptr<net::Exchange> exchange, std::string_view node) {
  contracts::NodePushPoll question;
  if (is_draining_) return refuse(*exchange, refused_, http::problems::stopping, node, "");
  if (!believe(*exchange, node, question)) return;
  accepted_.add();
  const auto held = std::make_shared<Held>();
  held->worker = worker.index;
  std::shared_ptr<Held> former;
  contracts::NodePush news;
  Done done;
  Results results;
  {
    const std::lock_guard lock(mutex_);
    auto& box = boxes_.find(node)->second;
    take(box, question.acknowledged, done);
    take_results(question.node, box, std::move(question.results), results);
    drop(box, clock_.steady_now(), done);
    former = std::exchange(box.held, nullptr);
    news = news_of(box);
    if (news.number == 0) {
      held->exchange = std::move(exchange);
      box.held = held;
    } else {
      box.answered = clock_.steady_now();
    }
  }
  if (former) release_later(question.node, std::move(former));
  if (exchange)
    reply(*exchange, node, news);
  else
    hold(worker, question.node, held);
  tell_done(done);
  for (const auto& [on_result, result] : results) {
    if (on_result)
      on_result(question.node, result);
    else
      log_.info("balancer", "order_followed",
                {{"order", result.id}, {"node", question.node}, {"problem", result.problem}});
  }
}

/// Whether the question may be answered; else it is refused. The mailbox is there afterwards.
bool NodePushHandler::believe(net::Exchange& exchange, std::string_view node, contracts::NodePushPoll& question) {
  const auto view = view_.get();
  const auto& request = exchange.request();
  const auto no = [&](const http::ProblemType& type, std::string_view why) {
    refuse(exchange, refused_, type, node, why);
    return false;
  };
  if (request.body.size() > contracts::kMaxQuestionBytes) return no(http::problems::body_too_large, "too long");
  const auto signature = request.headers.first(contracts::kSignatureHeader).value_or("");
  const auto verified = contracts::verify_body(*view->keys, "POST " + contracts::news_path(node), request.body,
                                               signature, clock_.wall_now(), view->event->clock_skew);
  if (!verified) return no(http::problems::forbidden, verified.error().text);
  auto read = contracts::news_question_from_json(request.body);
  if (!read || read->node != node)
    return no(http::problems::bad_request, read ? "the question is of another node than the path" : read.error().text);
  question = std::move(*read);
  const auto table = nodes_.table();
  const auto* known = table->find(node);
  if (!known) return no(http::problems::forbidden, "no such node is configured");
  if (known->last.run != question.run) return no(http::problems::forbidden, "no heartbeat of this run was heard");
  bool is_new = true;
  {
    const std::lock_guard lock(mutex_);
    auto& box = boxes_[question.node];
    if (box.run != question.run) {
      box.sequence = 0;
      for (auto& parcel : box.orders) {
        parcel.number = ++number_;
        parcel.is_received = false;
      }
    }
    is_new = question.sequence > box.sequence;
    if (is_new) {
      box.run = question.run;
      box.sequence = question.sequence;
    }
  }
  return is_new || no(http::problems::forbidden, "an older question than the last one");
}

void NodePushHandler::hold(runtime::Worker& worker, const std::string& node, const std::shared_ptr<Held>& held) {
  held->exchange->on_gone([this, node, weak = std::weak_ptr<Held>(held)] {
    const auto gone = weak.lock();
    if (!gone) return;
    {
      const std::lock_guard lock(mutex_);
      auto& box = boxes_.find(node)->second;
      if (box.held == gone) box.held.reset();
    }
    nodes_.hung_up(node);
    gone->exchange.reset();
  });
  held->patience = worker.loop.after(contracts::kNodePushHold, [this, node, weak = std::weak_ptr<Held>(held)] {
    if (const auto waiting = weak.lock()) release(node, waiting);
  });
  if (is_draining_) release(node, held);
}

/// On the worker of the question.
void NodePushHandler::release(const std::string& node, const std::shared_ptr<Held>& held) {
  if (!held->exchange) return;  // answered, or gone
  contracts::NodePush news;
  {
    const std::lock_guard lock(mutex_);
    auto& box = boxes_.find(node)->second;
    if (box.held == held) {
      news = news_of(box);
      box.held.reset();
      box.answered = clock_.steady_now();
    }
  }
  const auto exchange = std::move(held->exchange);
  reply(*exchange, node, news);
}

/// The question and its timer are let go of by their worker too.
void NodePushHandler::release_later(const std::string& node, std::shared_ptr<Held> held) {
  auto& loop = workers_[held->worker]->loop;
  loop.post([this, node, held = std::move(held)] { release(node, held); });
}

void NodePushHandler::reply(net::Exchange& exchange, std::string_view node, const contracts::NodePush& news) const {
  const auto view = view_.get();
  auto body = contracts::to_json(news);
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

// ---- the callers' side ----

std::vector<std::string> NodePushHandler::tell(const std::vector<std::string>& nodes,
                                               const std::vector<std::string>& targets, const OnTaken& on_taken) {
  std::vector<std::pair<std::string, std::shared_ptr<Held>>> waiting;
  std::vector<std::string> listening;
  Done done;
  {
    const std::lock_guard lock(mutex_);
    const auto now = clock_.steady_now();
    for (const auto& node : nodes) {
      const auto found = boxes_.find(node);
      if (found == boxes_.end() || !found->second.listens(now)) continue;
      auto& box = found->second;
      listening.push_back(node);
      const auto telling = std::make_shared<Telling>();
      telling->node = node;
      telling->left = targets.size();
      telling->on_taken = on_taken;
      for (const auto& target : targets) box.notices.push_back({++number_, target, now, telling});
      drop(box, now, done);
      if (box.held) waiting.emplace_back(node, box.held);
    }
  }
  told_.add(static_cast<double>(listening.size() * targets.size()));
  for (auto& [node, held] : waiting) release_later(node, std::move(held));
  tell_done(done);
  return listening;
}

bool NodePushHandler::order(const std::string& node, const std::shared_ptr<const contracts::NodeOrder>& order,
                            Retention keep, OnResult on_result) {
  std::shared_ptr<Held> waiting;
  bool listens = false;
  {
    const std::lock_guard lock(mutex_);
    auto& box = boxes_[node];
    listens = box.listens(clock_.steady_now());
    if (!listens && keep == Retention::no) return false;
    const auto* purge = std::get_if<contracts::PurgeOrder>(&order->order);
    if (purge) forget_covered(node, box, *purge);
    box.orders.push_back({++number_, order, false, std::move(on_result), 0, !listens});
    if (book_ && purge) book_->keep(node, box.orders.back().kept = number_, *order);
    bound(node, box);
    waiting = box.held;
  }
  if (waiting) release_later(node, std::move(waiting));
  return listens;
}

bool NodePushHandler::has_room(const std::vector<std::string>& nodes) const {
  const std::lock_guard lock(mutex_);
  const auto now = clock_.steady_now();
  return std::none_of(nodes.begin(), nodes.end(), [&](const std::string& node) {
    const auto found = boxes_.find(node);
    if (found == boxes_.end() || !found->second.listens(now)) return false;
    const auto& orders = found->second.orders;
    return std::count_if(orders.begin(), orders.end(), [](const Parcel& p) { return p.purge() && !p.was_missed; }) >=
           std::ptrdiff_t{kMostGiven};
  });
}

std::string NodePushHandler::new_order_id() {
  const std::lock_guard lock(mutex_);
  return book_ ? contracts::order_id(book_->issuer(), ++number_) : base::random_id(12);
}

void NodePushHandler::when_durable(std::function<void()> call) {
  if (!book_) return call();
  book_->when_durable(std::move(call));
}

bool NodePushHandler::is_behind(std::string_view node) const {
  const std::lock_guard lock(mutex_);
  const auto box = boxes_.find(node);
  if (box == boxes_.end()) return false;
  const auto& orders = box->second.orders;
  return std::any_of(orders.begin(), orders.end(), [](const Parcel& parcel) { return parcel.is_missed_purge(); });
}

void NodePushHandler::forget(const std::string& node, const Parcel& parcel) {
  if (book_ && parcel.kept > 0) book_->forget(node, parcel.kept);
}

/// Only what the node has not received: of what it has, somebody waits for the result.
void NodePushHandler::forget_covered(const std::string& node, Mailbox& box, const contracts::PurgeOrder& newer) {
  std::erase_if(box.orders, [&](const Parcel& parcel) {
    if (!parcel.was_missed || parcel.is_received || !parcel.purge() || !contracts::covers(newer, *parcel.purge()))
      return false;
    forget(node, parcel);
    covered_.add();
    return true;
  });
}

/// What a node that listens has been given, it follows: only what it missed is made one order to drop everything.
void NodePushHandler::bound(const std::string& node, Mailbox& box) {
  const auto others = std::count_if(box.orders.begin(), box.orders.end(), [](const Parcel& p) { return !p.purge(); });
  if (others > std::ptrdiff_t{kMostOthers}) {
    box.orders.erase(std::find_if(box.orders.begin(), box.orders.end(), [](const Parcel& p) { return !p.purge(); }));
    forgotten_.add();
  }
  const auto missed =
      std::count_if(box.orders.begin(), box.orders.end(), [](const Parcel& p) { return p.is_missed_purge(); });
  if (missed <= std::ptrdiff_t{kMostPurges}) return;
  bool soft = true;
  std::erase_if(box.orders, [&](const Parcel& parcel) {
    if (!parcel.is_missed_purge()) return false;
    soft &= parcel.purge()->soft;
    forget(node, parcel);
    return true;
  });
  contracts::NodeOrder all{book_ ? contracts::order_id(book_->issuer(), ++number_) : base::random_id(12),
                           contracts::PurgeOrder{contracts::PurgeOrder::By::all, "*", soft}};
  box.orders.push_back(
      {++number_, std::make_shared<const contracts::NodeOrder>(std::move(all)), false, nullptr, 0, true});
  if (book_) book_->keep(node, box.orders.back().kept = number_, *box.orders.back().order);
  collapsed_.add();
  log_.warning("balancer", "orders_collapsed", {{"node", node}, {"purges", kMostPurges}});
}

void NodePushHandler::drain() {
  is_draining_ = true;
  std::vector<std::pair<std::string, std::shared_ptr<Held>>> waiting;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [node, box] : boxes_)
      if (box.held) waiting.emplace_back(node, box.held);
  }
  for (auto& [node, held] : waiting) release_later(node, std::move(held));
}

// ---- mailboxes ----

contracts::NodePush NodePushHandler::news_of(const Mailbox& box) {
  contracts::NodePush news;
  // An acknowledgement covers all smaller numbers, so nothing behind the first that finds no room may go.
  auto end = std::numeric_limits<std::int64_t>::max();
  std::size_t orders = 0;
  for (const auto& parcel : box.orders)
    if (!parcel.is_received && ++orders > contracts::kMaxNewsOrders) end = std::min(end, parcel.number);
  if (box.notices.size() > contracts::kMaxNewsTargets)
    end = std::min(end, box.notices[contracts::kMaxNewsTargets].number);
  for (const auto& parcel : box.orders) {
    if (parcel.is_received || parcel.number >= end) continue;
    news.orders.push_back(*parcel.order);
    news.number = std::max(news.number, parcel.number);
  }
  for (const auto& notice : box.notices) {
    if (notice.number >= end) break;
    news.targets.push_back(notice.target);
    news.number = std::max(news.number, notice.number);
  }
  return news;
}

void NodePushHandler::take_results(const std::string& node, Mailbox& box, std::vector<contracts::OrderResult> found,
                                   Results& results) {
  for (auto& result : found) {
    const auto parcel =
        std::find_if(box.orders.begin(), box.orders.end(), [&](const Parcel& p) { return p.order->id == result.id; });
    if (parcel == box.orders.end()) continue;  // said twice
    forget(node, *parcel);
    results.emplace_back(std::move(parcel->on_result), std::move(result));
    box.orders.erase(parcel);
  }
}

void NodePushHandler::take(Mailbox& box, std::int64_t acknowledged, Done& done) {
  while (!box.notices.empty() && box.notices.front().number <= acknowledged) {
    done.push_back(std::move(box.notices.front().telling));
    box.notices.pop_front();
  }
  for (auto& parcel : box.orders) parcel.is_received |= parcel.number <= acknowledged;
}

void NodePushHandler::drop(Mailbox& box, base::SteadyTime now, Done& done) {
  while (!box.notices.empty() && (box.notices.size() > kMaxNotices || now - box.notices.front().told > kKept)) {
    done.push_back(std::move(box.notices.front().telling));
    box.notices.pop_front();
  }
}

void NodePushHandler::tell_done(const Done& done) {
  for (const auto& telling : done)
    if (telling && --telling->left == 0 && telling->on_taken) telling->on_taken(telling->node);
}

}  // namespace tribune::balancer
