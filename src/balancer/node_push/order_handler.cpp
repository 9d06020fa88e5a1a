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

/// The nodes that ?nodes= names, or all. Errors: an id of no configured node.
base::Result<std::vector<std::string>> selected_nodes(const http::Request& request, const NodeTable& table) {
  std::vector<std::string> selected;
  const auto named = http::query_decoded(request.query, "nodes").value_or("all");
  if (named == "all") {
    for (const auto& node : table.nodes) selected.push_back(node.address->id);
    return selected;
  }
  for (std::size_t begin = 0; begin <= named.size();) {
    const auto end = std::min(named.find(',', begin), named.size());
    selected.push_back(named.substr(begin, end - begin));
    if (!table.find(selected.back()))
      return base::failure(base::ErrorKind::not_found, base::Fault::client,
                           "no node has the id \"" + selected.back() + "\"");
    begin = end + 1;
  }
  return selected;
}

/// The order without queries, which may contain secrets.
std::string log_text(const contracts::Order& order) {
  if (const auto* purge = std::get_if<contracts::PurgeOrder>(&order))
    return (purge->soft ? "soft purge of " : "purge of ") + std::string(contracts::to_string(purge->by)) + " " +
           contracts::log_text(*purge).substr(0, 500);
  const auto* warm = std::get_if<contracts::WarmOrder>(&order);
  return warm ? "warm-up of " + std::to_string(warm->objects.size()) + " objects" : "question";
}

}  // namespace

/// One order and the nodes' results so far. Owned by the worker of the request.
struct OrderHandler::OrderRequest {
  struct Answer {
    std::string node;
    bool is_away = false;
    std::optional<contracts::OrderResult> result;
  };
  std::size_t worker = 0;
  Exchange exchange;
  std::string job;  // of a warm-up
  std::vector<Answer> answers;
  bool is_durable = false;  // on disk, for absent nodes
  net::Timer timeout;

  bool is_done() const {
    return is_durable &&
           std::all_of(answers.begin(), answers.end(), [](const Answer& a) { return a.result || a.is_away; });
  }
  std::string document() const;
};

/// {"done": …, "nodes": [{"node", "state": done|failed|away|late, …}]}
std::string OrderHandler::OrderRequest::document() const {
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

OrderHandler::OrderHandler(base::Log& log, NodePushHandler& push_handler, const NodeRegistry& nodes,
                           const PublishedView& view, std::size_t workers)
    : log_(log), push_handler_(push_handler), nodes_(nodes), view_(view), requests_(workers) {}
OrderHandler::~OrderHandler() = default;

std::vector<runtime::Route> OrderHandler::routes() {
  using http::Method;
  return {
      {{Method::post},
       "/nodes/purge",
       [this](auto& worker, auto exchange, const auto&) {
         const auto order = contracts::purge_order(exchange->request().body);
         if (!order) return exchange->reply(http::problem(problems::bad_request, order.error().text));
         push(worker, std::move(exchange), *order, "");
       }},
      {{Method::post},
       "/nodes/warm",
       [this](auto& worker, auto exchange, const auto&) {
         const auto job = base::random_id(12);
         const auto order = contracts::warm_order(exchange->request().body, job);
         if (!order) return exchange->reply(http::problem(problems::bad_request, order.error().text));
         push(worker, std::move(exchange), *order, job);
       }},
      {{Method::get},
       "/nodes/warm/{job}",
       [this](auto& worker, auto exchange, const auto& parameters) {
         const std::string job(parameters["job"]);
         if (!contracts::is_id(job))
           return exchange->reply(http::problem(problems::not_found, "no warm-up with this id is known"));
         push(worker, std::move(exchange), contracts::ProgressQuestion{job}, job);
       }},
  };
}

void OrderHandler::push(runtime::Worker& worker, Exchange exchange, contracts::Order order, std::string_view job) {
  const auto nodes = selected_nodes(exchange->request(), *nodes_.table());
  if (!nodes) return exchange->reply(http::problem(problems::not_found, nodes.error().text));
  if (std::holds_alternative<contracts::PurgeOrder>(order) && !push_handler_.accepts_purges(*nodes)) {
    auto later = http::problem(problems::overloaded, "too many purges are pending for a node");
    later.headers.add("Retry-After", "5");
    return exchange->reply(std::move(later));
  }
  const auto node_order =
      std::make_shared<contracts::NodeOrder>(contracts::NodeOrder{push_handler_.new_order_id(), std::move(order)});
  const bool is_progress_request = std::holds_alternative<contracts::ProgressQuestion>(node_order->order);
  const auto client = exchange->request().client;
  const auto request = std::make_shared<OrderRequest>();
  request->worker = worker.index;
  request->exchange = std::move(exchange);
  request->job = job;
  for (const auto& node : *nodes) request->answers.push_back({node, false, std::nullopt});
  const auto on_result = [this, &log = log_, &loop = worker.loop, node_order,
                          weak = std::weak_ptr<OrderRequest>(request)](const std::string& node,
                                                                       const contracts::OrderResult& result) {
    log.info("balancer", "order_followed", {{"order", node_order->id}, {"node", node}, {"problem", result.problem}});
    loop.post([this, weak, node, result] {
      if (const auto waiting = weak.lock()) add_result(waiting, node, result);
    });
  };
  for (auto& answer : request->answers)
    answer.is_away = !push_handler_.push_order(
        answer.node, node_order, is_progress_request ? NodePushHandler::Retention::no : NodePushHandler::Retention::yes,
        on_result);
  if (!is_progress_request)
    log_.info("balancer", "order_given",
              {{"order", node_order->id},
               {"client", client},
               {"nodes", request->answers.size()},
               {"text", log_text(node_order->order)}});
  requests_[worker.index].insert(request);
  request->exchange->on_gone([this, weak = std::weak_ptr<OrderRequest>(request)] {
    if (const auto left = weak.lock()) requests_[left->worker].erase(left);
  });
  request->timeout =
      worker.loop.after(view_.get()->order_deadline, [this, weak = std::weak_ptr<OrderRequest>(request)] {
        if (const auto late = weak.lock()) finish(late);
      });
  if (!std::holds_alternative<contracts::PurgeOrder>(node_order->order)) return on_saved(request);
  push_handler_.when_durable([this, &loop = worker.loop, weak = std::weak_ptr<OrderRequest>(request)] {
    loop.post([this, weak] {
      if (const auto waiting = weak.lock()) on_saved(waiting);
    });
  });
}

void OrderHandler::on_saved(const OrderRequestPtr& request) {
  request->is_durable = true;
  if (request->is_done()) finish(request);
}

void OrderHandler::add_result(const OrderRequestPtr& request, const std::string& node,
                              const contracts::OrderResult& result) {
  for (auto& answer : request->answers)
    if (answer.node == node) answer.result = result;
  if (request->is_done()) finish(request);
}

void OrderHandler::finish(const OrderRequestPtr& request) {
  if (requests_[request->worker].erase(request) == 0) return;  // answered already
  http::Response response;
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  response.body = request->document();
  request->exchange->reply(std::move(response));
}

}  // namespace tribune::balancer
