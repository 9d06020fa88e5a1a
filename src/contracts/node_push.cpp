#include "contracts/node_push.h"

#include "base/json.h"
#include "contracts/canonical.h"
#include "contracts/heartbeat.h"

namespace tribune::contracts {
namespace {

namespace json = base::json;

tl::unexpected<base::Error> malformed_node_push(const char* text) {
  return base::failure(base::ErrorKind::invalid_input, base::Fault::node, text);
}

}  // namespace

std::string to_json(const NodePushPoll& q) {
  json::Writer w;
  w.begin_object()
      .member("node", q.node)
      .member("run", q.run)
      .member("sequence", q.sequence)
      .member("acknowledged", q.acknowledged);
  w.key("results").begin_array();
  for (const auto& result : q.results) write(w, result);
  return w.end_array().end_object().take();
}

std::string to_json(const NodePush& news) {
  json::Writer w;
  w.begin_object().member("number", news.number).key("targets").begin_array();
  for (const auto& target : news.targets) w.value(target);
  w.end_array().key("orders").begin_array();
  for (const auto& [id, order] : news.orders) {
    w.begin_object().member("id", id);
    w.key("order").begin_object();
    write_members(w, order);
    w.end_object().end_object();
  }
  return w.end_array().end_object().take();
}

base::Result<NodePushPoll> news_question_from_json(std::string_view text) {
  const auto value =
      json::parse(text, {.max_depth = 6, .max_bytes = kMaxQuestionBytes, .max_values = 64 + 16 * kMaxQuestionResults});
  if (!value || !value->is(json::Kind::object)) return malformed_node_push("not a JSON object");
  NodePushPoll q;
  q.node = value->text("node").value_or("");
  q.run = value->text("run").value_or("");
  q.sequence = value->whole("sequence").value_or(0);
  q.acknowledged = value->whole("acknowledged").value_or(0);
  if (!is_id(q.node) || q.run.empty() || q.run.size() > 64)
    return malformed_node_push("the members node and run are required");
  if (q.sequence <= 0 || q.acknowledged < 0)
    return malformed_node_push("the member sequence must be at least 1 and the member acknowledged at least 0");
  if (const auto* results = value->find("results"); results && results->is(json::Kind::array)) {
    if (results->array.size() > kMaxQuestionResults) return malformed_node_push("too many results");
    for (const auto& one : results->array) {
      auto result = order_result(one);
      if (!result) return tl::unexpected(result.error());
      q.results.push_back(std::move(*result));
    }
  }
  return q;
}

base::Result<NodePush> news_from_json(std::string_view text) {
  const auto value = json::parse(text, {.max_depth = 12,
                                        .max_bytes = kMaxNewsBytes,
                                        .max_values = 2 * kMaxNewsTargets + 2 * kMaxNewsOrders * kMaxWarmObjects});
  if (!value || !value->is(json::Kind::object)) return malformed_node_push("not a JSON object");
  NodePush news;
  news.number = value->whole("number").value_or(0);
  const auto* targets = value->find("targets");
  if (news.number < 0 || !targets || !targets->is(json::Kind::array) || targets->array.size() > kMaxNewsTargets)
    return malformed_node_push("the members number and targets are required");
  for (const auto& target : targets->array) {
    if (!target.is(json::Kind::string) || !target.string.starts_with('/') || !is_visible_ascii(target.string))
      return malformed_node_push("a target is not a link");
    news.targets.push_back(target.string);
  }
  if (const auto* orders = value->find("orders"); orders && orders->is(json::Kind::array)) {
    if (orders->array.size() > kMaxNewsOrders) return malformed_node_push("too many orders");
    for (const auto& one : orders->array) {
      const auto* inner = one.find("order");
      auto order = inner ? order_from_value(*inner) : malformed_node_push("an order is empty");
      if (!order) return tl::unexpected(order.error());
      news.orders.push_back({std::string(one.text("id").value_or("")), std::move(*order)});
      if (!is_id(news.orders.back().id)) return malformed_node_push("an order has no id");
    }
  }
  return news;
}

std::string news_path(std::string_view node) { return heartbeat_path(node) + "/news"; }

}  // namespace tribune::contracts
