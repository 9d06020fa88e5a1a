#include "balancer/access_http/overload_drill_handler.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <vector>

#include "balancer/access_http/overload_drill_page.h"
#include "base/json.h"
#include "contracts/canonical.h"
#include "contracts/signed_body.h"
#include "http/problem.h"
#include "http/uri.h"
#include "runtime/own_site.h"

namespace tribune::balancer {
namespace {

constexpr std::int64_t kMostPretended = 1'000'000'000;
constexpr std::chrono::minutes kConfirmationLifetime{5};

std::string confirmation_context(const http::Request& request) {
  return "CONFIRM /access_queue_switch " + request.client;
}

/// A query with the effect that the page shows: without parameters, the present state decides.
std::string confirmed_query(const http::Request& request, const access::Drill& drill) {
  if (!request.query.empty()) return request.query;
  return drill == access::Drill{} ? "state=off" : "state=on";
}

/// The page must not be shown in a frame of another site, where a click on the button could be stolen. Its Origin would
/// be "null" with the referrer policy no-referrer.
http::Response page_response(std::string body) {
  http::Response response;
  response.headers = {{"Content-Type", "text/html; charset=utf-8"},
                      {"Cache-Control", "no-store"},
                      {"Content-Security-Policy",
                       "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
                       "frame-ancestors 'none'"},
                      {"X-Frame-Options", "DENY"},
                      {"X-Content-Type-Options", "nosniff"},
                      {"Cross-Origin-Resource-Policy", "same-origin"},
                      {"Referrer-Policy", "same-origin"}};
  response.body = std::move(body);
  return response;
}

tl::unexpected<base::Error> invalid_drill(std::string text) {
  return base::failure(base::ErrorKind::invalid_input, base::Fault::client, std::move(text));
}

base::Counter overload_drill_requests_counter(base::Metrics& metrics, std::string_view result) {
  return metrics.counter("tribune_balancer_drill_requests_total", "Requests to /access_queue_switch, by result.",
                         {{"result", result}});
}

std::string body_of(std::string_view channel, const access::Drill& drill) {
  base::json::Writer w;
  w.begin_object().member("overload_emulation", drill != access::Drill{});
  if (!channel.empty()) w.member("channel", channel);
  if (drill.extra_sessions > 0) w.member("sessions", drill.extra_sessions);
  if (drill.extra_mbps > 0) w.member("mbps", drill.extra_mbps);
  return w.end_object().take();
}

constexpr std::array<std::string_view, 4> kParameters{"state", "channel", "sessions", "mbps"};

/// The problem with the names of the parameters; empty when there is none.
std::string parameter_problem(std::string_view query) {
  std::vector<std::string_view> seen;
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const auto name = query.substr(0, std::min(query.find('='), end));
    if (std::find(kParameters.begin(), kParameters.end(), name) == kParameters.end())
      return "unknown parameter; the parameters are state, channel, sessions and mbps";
    if (std::find(seen.begin(), seen.end(), name) != seen.end()) return "a parameter must not be repeated";
    seen.push_back(name);
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return "";
}

}  // namespace

base::Result<DrillOrder> drill_order(std::string_view query, const access::Drill& now) {
  if (auto problem = parameter_problem(query); !problem.empty()) return invalid_drill(std::move(problem));
  DrillOrder order{std::string(http::query_value(query, "channel").value_or("")), now};
  const auto state = http::query_value(query, "state");
  const auto sessions = http::query_value(query, "sessions"), mbps = http::query_value(query, "mbps");
  if (http::query_value(query, "channel") && order.channel.empty())
    return invalid_drill("channel must be a channel id; omit it to select all channels");
  if (state && *state != "on" && *state != "off") return invalid_drill("state must be on or off");
  for (const auto& load : {sessions, mbps}) {
    const auto number = load ? contracts::read_decimal(*load) : 0;
    if (!number || *number > kMostPretended)
      return invalid_drill("sessions and mbps must be whole numbers from 0 to 1000000000");
  }
  if (state && *state == "off") {
    order.drill = {};
    return order;
  }
  if (sessions) order.drill.extra_sessions = *contracts::read_decimal(*sessions);
  if (mbps) order.drill.extra_mbps = static_cast<double>(*contracts::read_decimal(*mbps));
  if (sessions || mbps) {
    const bool pretends = order.drill.extra_sessions > 0 || order.drill.extra_mbps > 0;
    order.drill.is_closed = order.drill.is_closed && !pretends;  // simulates a load instead of refusing all viewers
    return order;
  }
  if (!state && !query.empty()) return invalid_drill("one of state=on, state=off, sessions=N and mbps=N is required");
  if (state)
    order.drill.is_closed = true;
  else
    order.drill = now == access::Drill{} ? access::Drill{.is_closed = true} : access::Drill{};
  return order;
}

OverloadDrillHandler::OverloadDrillHandler(const base::Clock& clock, base::Log& log, base::Metrics& metrics,
                                           access::Admission& admission, const PublishedView& view)
    : clock_(clock),
      log_(log),
      admission_(admission),
      view_(view),
      used_(overload_drill_requests_counter(metrics, "used")),
      refused_(overload_drill_requests_counter(metrics, "refused")),
      unconfirmed_(overload_drill_requests_counter(metrics, "unconfirmed")) {}

http::Response OverloadDrillHandler::answer(const http::Request& request) {
  const auto view = view_.get();
  if (const auto reason = view->operators.refusal(request); !reason.empty()) return refuse(request, reason);
  const bool is_confirmed = request.method == http::Method::post;
  if (is_confirmed)
    if (const auto reason = wrong_confirmation(request, *view); !reason.empty()) return refuse(request, reason);
  const auto channel = http::query_value(request.query, "channel").value_or("");
  if (!channel.empty() && !view->event->find(channel))
    return http::problem(http::problems::channel_unknown, "no channel has this id");
  const std::lock_guard lock(mutex_);
  const auto now = admission_.drill(channel);
  const auto order = drill_order(request.query, now);
  if (!order) return http::problem(http::problems::bad_request, order.error().text);
  const bool only_looks = request.method == http::Method::head;
  if (!only_looks && !is_confirmed && view->operators.needs_confirmation(request))
    return confirmation_page(request, *view, *order, now);
  if (!only_looks) set(request, *order);
  if (is_confirmed) return page_response(drill_result_page(order->channel, order->drill));
  http::Response response;
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  response.body = body_of(channel, only_looks ? now : order->drill);
  return response;
}

http::Response OverloadDrillHandler::refuse(const http::Request& request, std::string_view reason) {
  refused_.add();
  log_.warning("balancer", "drill_refused", {{"client", request.client}, {"reason", reason}});
  const bool is_post = request.method == http::Method::post;
  return http::problem(http::problems::forbidden,
                       is_post ? "the confirmation is not valid or no longer valid: open the link again"
                               : "allowed only from an operator network or with the operator token");
}

std::string_view OverloadDrillHandler::wrong_confirmation(const http::Request& request, const EventView& view) const {
  if (!runtime::shows_own_site_in_post(request)) return "not_from_the_own_page";
  const auto signature = http::query_value(request.body, "confirmation").value_or("");
  const auto verified = contracts::verify_body(*view.keys, confirmation_context(request), request.query, signature,
                                               clock_.wall_now(), kConfirmationLifetime);
  return verified ? "" : "confirmation_not_valid";
}

http::Response OverloadDrillHandler::confirmation_page(const http::Request& request, const EventView& view,
                                                       const DrillOrder& order, const access::Drill& now) {
  const auto query = confirmed_query(request, order.drill);
  const auto signature = contracts::sign_body(*view.keys, confirmation_context(request), query, clock_.wall_now());
  if (signature.empty()) return http::problem(http::problems::internal, "every signing key has expired");
  unconfirmed_.add();
  log_.info("balancer", "drill_unconfirmed", {{"client", request.client}});
  return page_response(drill_confirmation_page({order.channel, now, order.drill, query, signature}));
}

void OverloadDrillHandler::set(const http::Request& request, const DrillOrder& order) {
  admission_.set_drill(order.channel, order.drill);
  used_.add();
  log_.warning("balancer", "overload_emulation",
               {{"on", order.drill != access::Drill{}},
                {"channel", order.channel.empty() ? std::string("all") : order.channel},
                {"closed", order.drill.is_closed},
                {"sessions", order.drill.extra_sessions},
                {"mbps", order.drill.extra_mbps},
                {"client", request.client}});
}

}  // namespace tribune::balancer
