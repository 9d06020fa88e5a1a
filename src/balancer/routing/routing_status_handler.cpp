#include "balancer/routing/routing_status_handler.h"

#include <optional>
#include <string>

#include "base/ip_address.h"
#include "base/json.h"
#include "http/problem.h"
#include "http/uri.h"

namespace tribune::balancer {
namespace {

http::Response document(std::string body) {
  http::Response response;
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  response.body = std::move(body);
  return response;
}

}  // namespace

base::Status RoutingStatusHandler::load(store::Store& store) {
  store_ = &store;
  return store.scan(kDrainsTable, [&](std::string_view node, std::string_view) {
    nodes_.drain(node, true);
    return true;
  });
}

std::vector<runtime::Route> RoutingStatusHandler::routes() {
  using http::Method;
  return {
      {{Method::get},
       "/status/route",
       [this](auto&, auto exchange, const auto&) { exchange->reply(route(exchange->request())); }},
      {{Method::post}, "/nodes/{id}/drain", drain_handler(true)},
      {{Method::post}, "/nodes/{id}/undrain", drain_handler(false)},
  };
}

runtime::RouteHandler RoutingStatusHandler::drain_handler(bool on) {
  return [this, on](auto& worker, auto exchange, const auto& parameters) {
    runtime::reply_when_durable(worker.loop, std::move(exchange), [&](const auto&, const auto& on_durable) {
      return drain(parameters["id"], on, on_durable);
    });
  };
}

http::Response RoutingStatusHandler::drain(std::string_view node, bool on, const runtime::OnDurable& on_durable) {
  if (!nodes_.drain(node, on)) return http::problem(http::problems::not_found, "no node has this id");
  store_->keep(kDrainsTable, std::string(node), on ? std::optional<std::string>("1") : std::nullopt, on_durable);
  const auto table = nodes_.table();
  const auto* state = table->find(node);
  base::json::Writer w;
  w.begin_object()
      .member("node", node)
      .member("draining", on)
      .member("viewers", state ? state->viewers->count.load() : 0)
      .end_object();
  return document(w.take());
}

http::Response RoutingStatusHandler::route(const http::Request& request) const {
  const auto client = http::query_decoded(request.query, "client"),
             channel = http::query_decoded(request.query, "channel");
  if (!client || !base::parse_ip(*client))
    return http::problem(http::problems::bad_request, "client= must be an address");
  const auto view = view_.get();
  const auto* found = channel ? view->event->find(*channel) : nullptr;
  if (!found) return http::problem(http::problems::channel_unknown, "channel= must be the id of a channel");
  const auto claims =
      read_claims({}, request.query, *view->keys, {view->receipt_lifetime, view->event->clock_skew}, clock_.wall_now());
  const auto named = http::query_decoded(request.query, "cache").value_or("");
  const auto pathway = http::query_decoded(request.query, "pathway").value_or("");
  RoutingRequest asked;
  asked.client = *client;
  asked.channel = *channel;
  asked.named = named;
  asked.claims = &claims;
  asked.pathway = pathway;
  asked.may_use_origin = found->fallback == contracts::Fallback::origin;
  base::json::Writer w;
  router_.explain(asked, w);
  return document(w.take());
}

}  // namespace tribune::balancer
