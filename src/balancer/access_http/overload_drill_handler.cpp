#include "balancer/access_http/overload_drill_handler.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "base/json.h"
#include "contracts/canonical.h"
#include "http/problem.h"
#include "http/uri.h"

namespace tribune::balancer {
namespace {

constexpr std::int64_t kMostPretended = 1'000'000'000;

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

OverloadDrillHandler::OverloadDrillHandler(base::Log& log, base::Metrics& metrics, access::Admission& admission,
                                           const PublishedView& view)
    : log_(log),
      admission_(admission),
      view_(view),
      used_(overload_drill_requests_counter(metrics, "used")),
      refused_(overload_drill_requests_counter(metrics, "refused")) {}

http::Response OverloadDrillHandler::answer(const http::Request& request) {
  const auto view = view_.get();
  if (const auto reason = view->operators.refusal(request); !reason.empty()) {
    refused_.add();
    log_.warning("balancer", "drill_refused", {{"client", request.client}, {"reason", reason}});
    return http::problem(http::problems::forbidden, "allowed only from an operator network or with the operator token");
  }
  const auto channel = http::query_value(request.query, "channel").value_or("");
  if (!channel.empty() && !view->event->find(channel))
    return http::problem(http::problems::channel_unknown, "no channel has this id");
  const std::lock_guard lock(mutex_);
  const auto now = admission_.drill(channel);
  const auto order = drill_order(request.query, now);
  if (!order) return http::problem(http::problems::bad_request, order.error().text);
  const bool only_looks = request.method == http::Method::head;
  const auto& drill = only_looks ? now : order->drill;
  if (!only_looks) {
    admission_.set_drill(channel, drill);
    used_.add();
    log_.warning("balancer", "overload_emulation",
                 {{"on", drill != access::Drill{}},
                  {"channel", channel.empty() ? std::string("all") : channel},
                  {"closed", drill.is_closed},
                  {"sessions", drill.extra_sessions},
                  {"mbps", drill.extra_mbps},
                  {"client", request.client}});
  }
  http::Response response;
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  response.body = body_of(channel, drill);
  return response;
}

}  // namespace tribune::balancer
