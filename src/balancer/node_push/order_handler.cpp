#include "balancer/node_push/order_handler.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/ids.h"
#include "base/json.h"
#include "contracts/canonical.h"
#include "http/problem.h"
#include "http/uri.h"

namespace tribune::balancer {
namespace {

namespace problems = http::problems;

/// The nodes that ?nodes= names, or all. Errors: the id that is none.
base::Result<std::vector<std::string>> nodes_meant(const http::Request& request, const NodeTable& table) {
  std::vector<std::string> meant;
  const auto named = http::query_decoded(request.query, "nodes").value_or("all");
  if (named == "all") {
    for (const auto& node : table.nodes) meant.push_back(node.address->id);
    return meant;
  }
  for (std::size_t begin = 0; begin <= named.size();) {
    const auto end = std::min(named.find(',', begin), named.size());
    meant.push_back(named.substr(begin, end - begin));
    if (!table.find(meant.back()))
      return base::failure(base::ErrorKind::not_found, base::Fault::client,
                           "no node has the id \"" + meant.back() + "\"");
    begin = end + 1;
  }
  return meant;
}

/// Without queries, which may be secrets.
std::string log_text(const contracts::Order& order) {
  if (const auto* purge = std::get_if<contracts::PurgeOrder>(&order))
    return (purge->soft ? "soft purge of " : "purge of ") + std::string(contracts::to_string(purge->by)) + " " +
           contracts::log_text(*purge).substr(0, 500);
  const auto* warm = std::get_if<contracts::WarmOrder>(&order);
  return warm ? "warm-up of " + std::to_string(warm->objects.size()) + " objects" : "question";
}

}  // namespace

/// One order and who answered so far. Owned by the worker of the request.
struct OrderHandler::Asked {
  struct Answer {
    std::string node;
    bool is_away = false;
    std::optional<contracts::OrderResult> result;
  };
  std::size_t worker = 0;
  Exchange exchange;
  std::string job;  // of a warm-up
  std::vector<Answer> answers;
  bool is_kept = false;  // on disk, for those that are away
  net::Timer patience;

  bool is_done() const {
    return is_kept &&
           std::all_of(answers.begin(), answers.end(), [](const Answer& a) { return a.result || a.is_away; });
  }
  std::string document() const;
};

/// {"done": …, "nodes": [{"node", "state": done|failed|away|late, …}]}
std::string OrderHandler::Asked::document() const {
  base::json::Writer w;
  w.begin_object();
  if (!job.empty()) w.member("job", job);
  w.member("done", std::all_of(answers.begin(), answers.end(),
                               [](const Answer& a) { return a.result && a.result->problem.empty(); }));
  w.key("nodes").begin_array();
  for (const auto& answer : answers) {
    const bool failed = answer.result && !answer.result->problem.empty();
    w.begin_object()
        .member("node", answer.node)
        .member("state", failed           ? "failed"
                         : answer.result  ? "done"
                         : answer.is_away ? "away"
                                          : "late");
    if (failed) {
      w.member("detail", answer.result->problem);
    } else if (answer.result && job.empty()) {
      w.member("purged", answer.result->purged);
    } else if (answer.result) {
      const auto& p = answer.result->progress;
      w.member("total", p.total)
          .member("left", p.left)
          .member("running", p.running)
          .member("stored", p.stored)
          .member("failed", p.failed);
      w.member("warmed", p.is_done());
    }
    w.end_object();
  }
  return w.end_array().end_object().take();
}

OrderHandler::OrderHandler(base::Log& log, NodePushHandler& news, const NodeRegistry& nodes, const PublishedView& view,
                           std::size_t workers)
    : log_(log), news_(news), nodes_(nodes), view_(view), asked_(workers) {}
OrderHandler::~OrderHandler() = default;

std::vector<runtime::Route> OrderHandler::routes() {
  using http::Method;
  return {
      {{Method::post},
       "/nodes/purge",
       [this](auto& worker, auto exchange, const auto&) {
         const auto order = contracts::purge_order(exchange->request().body);
         if (!order) return exchange->reply(http::problem(problems::bad_request, order.error().text));
         give(worker, std::move(exchange), *order, "");
       }},
      {{Method::post},
       "/nodes/warm",
       [this](auto& worker, auto exchange, const auto&) {
         const auto job = base::random_id(12);
         const auto order = contracts::warm_order(exchange->request().body, job);
         if (!order) return exchange->reply(http::problem(problems::bad_request, order.error().text));
         give(worker, std::move(exchange), *order, job);
       }},
      {{Method::get},
       "/nodes/warm/{job}",
       [this](auto& worker, auto exchange, const auto& parameters) {
         const std::string job(parameters["job"]);
         if (!contracts::is_id(job))
           return exchange->reply(http::problem(problems::not_found, "no such warm-up is known"));
         give(worker, std::move(exchange), contracts::ProgressQuestion{job}, job);
       }},
  };
}

void OrderHandler::give(runtime::Worker& worker, Exchange exchange, contracts::Order order, std::string_view job) {
  const auto nodes = nodes_meant(exchange->request(), *nodes_.table());
  if (!nodes) return exchange->reply(http::problem(problems::not_found, nodes.error().text));
  if (std::holds_alternative<contracts::PurgeOrder>(order) && !news_.has_room(*nodes)) {
    auto later = http::problem(problems::overloaded, "a node has too many purges to follow already");
    later.headers.add("Retry-After", "5");
    return exchange->reply(std::move(later));
  }
  const auto told =
      std::make_shared<contracts::NodeOrder>(contracts::NodeOrder{news_.new_order_id(), std::move(order)});
  const bool is_question = std::holds_alternative<contracts::ProgressQuestion>(told->order);
  const auto client = exchange->request().client;
  const auto asked = std::make_shared<Asked>();
  asked->worker = worker.index;
  asked->exchange = std::move(exchange);
  asked->job = job;
  for (const auto& node : *nodes) asked->answers.push_back({node, false, std::nullopt});
  const auto on_result = [this, &log = log_, &loop = worker.loop, told, weak = std::weak_ptr<Asked>(asked)](
                             const std::string& node, const contracts::OrderResult& result) {
    log.info("balancer", "order_followed", {{"order", told->id}, {"node", node}, {"problem", result.problem}});
    loop.post([this, weak, node, result] {
      if (const auto waits = weak.lock()) heard(waits, node, result);
    });
  };
  for (auto& answer : asked->answers)
    answer.is_away = !news_.order(
        answer.node, told, is_question ? NodePushHandler::Retention::no : NodePushHandler::Retention::yes, on_result);
  if (!is_question)
    log_.info(
        "balancer", "order_given",
        {{"order", told->id}, {"client", client}, {"nodes", asked->answers.size()}, {"text", log_text(told->order)}});
  asked_[worker.index].insert(asked);
  asked->exchange->on_gone([this, weak = std::weak_ptr<Asked>(asked)] {
    if (const auto left = weak.lock()) asked_[left->worker].erase(left);
  });
  asked->patience = worker.loop.after(view_.get()->order_deadline, [this, weak = std::weak_ptr<Asked>(asked)] {
    if (const auto late = weak.lock()) finish(late);
  });
  if (!std::holds_alternative<contracts::PurgeOrder>(told->order)) return kept(asked);
  news_.when_durable([this, &loop = worker.loop, weak = std::weak_ptr<Asked>(asked)] {
    loop.post([this, weak] {
      if (const auto waits = weak.lock()) kept(waits);
    });
  });
}

void OrderHandler::kept(const AskedPtr& asked) {
  asked->is_kept = true;
  if (asked->is_done()) finish(asked);
}

void OrderHandler::heard(const AskedPtr& asked, const std::string& node, const contracts::OrderResult& result) {
  for (auto& answer : asked->answers)
    if (answer.node == node) answer.result = result;
  if (asked->is_done()) finish(asked);
}

void OrderHandler::finish(const AskedPtr& asked) {
  if (asked_[asked->worker].erase(asked) == 0) return;  // answered already
  http::Response response;
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  response.body = asked->document();
  asked->exchange->reply(std::move(response));
}

}  // namespace tribune::balancer
