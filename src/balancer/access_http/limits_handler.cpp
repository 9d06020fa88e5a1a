#include "balancer/access_http/limits_handler.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "balancer/access_http/overload_drill_handler.h"
#include "base/json.h"
#include "http/problem.h"
#include "http/uri.h"

namespace tribune::balancer {
namespace {

http::Response limits_reply(std::string body) {
  http::Response response;
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  response.body = std::move(body);
  return response;
}

/// The first channel that is not configured and had no limit before. Empty: none.
std::string mistyped_channel(const access::AccessLimits& now, const access::AccessLimits& next,
                             const contracts::Event& event) {
  for (const auto& [id, limit] : next.channels)
    if (!now.channels.contains(id) && !event.find(id)) return id;
  return "";
}

/// Groups and nodes with limits that this balancer does not know. They may be added later, so these are no errors.
std::vector<std::string> unknown_scopes(const access::AccessLimits& limits, const NodeTable& table) {
  std::vector<std::string> names;
  const auto is_group = [&](const std::string& id) {
    return std::any_of(table.nodes.begin(), table.nodes.end(),
                       [&](const NodeState& node) { return node.limit_group() == id; });
  };
  for (const auto& [id, limit] : limits.groups)
    if (!is_group(id)) names.push_back("group " + id);
  for (const auto& [id, limit] : limits.nodes)
    if (!table.find(id)) names.push_back("node " + id);
  return names;
}

}  // namespace

std::vector<runtime::Route> LimitsHandler::routes() {
  using http::Method;
  return {
      {{Method::get}, "/limits", [this](auto&, auto exchange, const auto&) { exchange->reply(limits()); }},
      {{Method::put, Method::patch},
       "/limits",
       [this](auto& worker, auto exchange, const auto&) {
         runtime::reply_when_durable(
             worker.loop, std::move(exchange),
             [this](const auto& request, const auto& on_durable) { return change(request, on_durable); });
       }},
      {{Method::del},
       "/limits",
       [this](auto& worker, auto exchange, const auto&) {
         runtime::reply_when_durable(
             worker.loop, std::move(exchange),
             [this](const auto& request, const auto& on_durable) { return reset(request, on_durable); });
       }},
      {{Method::get}, "/queues", [this](auto&, auto exchange, const auto&) { exchange->reply(queues()); }},
      {{Method::post},
       "/queues/{channel}/open",
       [this](auto&, auto exchange, const auto& parameters) {
         exchange->reply(open(parameters["channel"], exchange->request()));
       }},
      {{Method::post},
       "/drill",
       [this](auto&, auto exchange, const auto&) { exchange->reply(drill(exchange->request())); }},
  };
}

http::Response LimitsHandler::limits() const {
  base::json::Writer w;
  w.begin_object();
  write_members(w, admission_.limits());
  return limits_reply(w.end_object().take());
}

http::Response LimitsHandler::change(const http::Request& request, const runtime::OnDurable& on_durable) {
  const auto before = admission_.limits();
  auto wanted = before;
  if (const auto read = access::apply_changes(wanted, request.body); !read)
    return http::problem(http::problems::bad_request, read.error().text);
  if (const auto id = mistyped_channel(before, wanted, *view_.get()->event); !id.empty())
    return http::problem(http::problems::bad_request, "no channel has the id \"" + id + "\"");
  if (const auto changed = admission_.change_limits(request.body, on_durable); !changed)
    return http::problem(http::problems::bad_request, changed.error().text);
  const auto now = admission_.limits();
  base::json::Writer w;
  w.begin_object();
  write_members(w, now);
  w.key("unheard").begin_array();
  for (const auto& name : unknown_scopes(now, *nodes_.table())) w.value(name);
  auto text = w.end_array().end_object().take();
  log_.warning("balancer", "limits_changed", {{"limits", text}, {"client", request.client}});
  return limits_reply(std::move(text));
}

http::Response LimitsHandler::reset(const http::Request& request, const runtime::OnDurable& on_durable) {
  admission_.reset_limits(on_durable);
  log_.warning("balancer", "limits_reset", {{"client", request.client}});
  return limits();
}

http::Response LimitsHandler::queues() const {
  base::json::Writer w;
  w.begin_object();
  admission_.describe(w);
  return limits_reply(w.end_object().take());
}

http::Response LimitsHandler::open(std::string_view channel, const http::Request& request) {
  if (!view_.get()->event->find(channel))
    return http::problem(http::problems::channel_unknown, "no channel has this id");
  admission_.open_now(channel);
  log_.warning("balancer", "opened_by_hand", {{"channel", channel}, {"client", request.client}});
  return limits_reply(to_json(*admission_.queue_status(channel)));
}

http::Response LimitsHandler::drill(const http::Request& request) {
  const auto channel = http::query_value(request.query, "channel").value_or("");
  if (!channel.empty() && !view_.get()->event->find(channel))
    return http::problem(http::problems::channel_unknown, "no channel has this id");
  const auto order = drill_order(request.query, admission_.drill(channel));
  if (!order) return http::problem(http::problems::bad_request, order.error().text);
  admission_.set_drill(channel, order->drill);
  log_.warning("balancer", "drill",
               {{"channel", channel.empty() ? std::string("all") : std::string(channel)},
                {"closed", order->drill.is_closed},
                {"sessions", order->drill.extra_sessions},
                {"mbps", order->drill.extra_mbps},
                {"client", request.client}});
  return queues();
}

}  // namespace tribune::balancer
