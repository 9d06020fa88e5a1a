#include "balancer/access_http/report_handler.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "balancer/routing/reachability_claims.h"
#include "balancer/sessions/admission_with_routing.h"
#include "balancer/sessions/viewer_credentials.h"
#include "base/json.h"
#include "contracts/canonical.h"
#include "contracts/receipt.h"
#include "contracts/ticket.h"
#include "http/problem.h"

namespace tribune::balancer {
namespace {

using Renewal = access::Admission::Renewal;

void write_refusals(base::json::Writer& w, const std::vector<std::string>& refused) {
  w.key("receipts_refused").begin_array();
  for (const auto& why : refused) w.value(why);
  w.end_array();
}

std::string session_document(const Routed& routed, const std::vector<std::string>& refused) {
  const auto* node = routed.choice.node;
  base::json::Writer w;
  w.begin_object()
      .member("status", "routed")
      .member("node", node ? node->address->id : "")
      .member("url", node ? node->address->url : "")
      .member("reason", to_string(routed.choice.reason));
  write_refusals(w, refused);
  return w.end_object().take();
}

/// An answer that depends on no statement of the client holds as long as a receipt would.
std::string pings_document(const Routed& routed, const std::vector<std::string>& refused,
                           std::chrono::milliseconds receipt_lifetime) {
  using std::chrono::seconds;
  const auto longest = std::chrono::floor<seconds>(receipt_lifetime);
  const auto holds = std::max(seconds{1}, std::min(routed.holds.value_or(longest), longest));
  base::json::Writer w;
  w.begin_object();
  if (const auto* node = routed.choice.node)
    w.member("cache", node->address->id).member("url", node->address->url);
  else
    w.key("cache").null().key("url").null();
  w.member("reason", to_string(routed.choice.reason)).member("holds_seconds", std::int64_t{holds.count()});
  write_refusals(w, refused);
  return w.end_object().take();
}

http::Response json_response(std::string body) {
  http::Response response;
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  response.body = std::move(body);
  return response;
}

bool is_counted(Renewal renewal) { return renewal == Renewal::known || renewal == Renewal::adopted; }

}  // namespace

http::Response ReportHandler::answer(const contracts::AccessRequest& request, const EventView& view) {
  if (!request.channel.empty()) {
    const auto* channel = view.event->find(request.channel);
    if (!channel) return http::problem(http::problems::channel_unknown, "no channel has this id");
    if (request.pass.empty()) return route(request, view, *channel, nullptr);
    if (const auto found = reporter(request, view, *channel)) return answer_to(request, view, *channel, *found);
    return http::problem(http::problems::session_invalid, "this is neither a session nor a ticket of this channel");
  }
  // A token or ticket is signed for its channel but does not name it, so the channels of the event are tried.
  for (const auto& channel : view.event->channels)
    if (const auto found = reporter(request, view, channel)) return answer_to(request, view, channel, *found);
  return http::problem(http::problems::session_invalid, "this is neither a session nor a ticket of this event");
}

std::optional<ReportHandler::Reporter> ReportHandler::reporter(const contracts::AccessRequest& request,
                                                               const EventView& view,
                                                               const contracts::Channel& channel) const {
  const auto now = clock_.wall_now();
  const auto skew = view.event->clock_skew;
  if (contracts::looks_like_ticket(request.pass)) {
    const auto ticket = read_ticket(*view.keys, admission_, channel.id, request.pass, now, skew);
    if (!ticket) return std::nullopt;
    return Reporter{{.channel = channel.id, .session = ticket->session, .owner = ticket->owner}, true};
  }
  auto token = read_token(*view.keys, admission_, channel.id, request.pass, now, skew);
  if (!token) return std::nullopt;
  return Reporter{std::move(*token), false};
}

http::Response ReportHandler::answer_to(const contracts::AccessRequest& request, const EventView& view,
                                        const contracts::Channel& channel, const Reporter& reporter) {
  auto response = route(request, view, channel, &reporter);
  response.headers.set(contracts::kSessionNameHeader, contracts::session_name(reporter.token.session));
  return response;
}

/// A ticket may still wait, and a report admits no viewer: the report is answered, but routing does not record its
/// session.
http::Response ReportHandler::route(const contracts::AccessRequest& request, const EventView& view,
                                    const contracts::Channel& channel, const Reporter* reporter) {
  auto claims = claims_of(request.gone, request.receipts, *view.keys, {view.receipt_lifetime, view.event->clock_skew},
                          clock_.wall_now());
  claims.reaches_none = request.reaches_none;
  claims.is_report = true;
  RoutingRequest routing_request;
  routing_request.client = request.client;
  routing_request.channel = channel.id;
  routing_request.claims = &claims;
  routing_request.session = reporter ? reporter->token.session : 0;
  routing_request.is_advice = !reporter;
  routing_request.may_use_origin = router_.may_use_origin(channel);
  if (reporter) {
    auto verdict = paid_access_.check(channel, reporter->token.session, reporter->token.owner);
    if (verdict.refusal) return std::move(*verdict.refusal);
  }
  if (reporter && !reporter->waits) {
    const auto renewal = renew(request, view, reporter->token, routing_request);
    if (!is_counted(renewal) && renewal != Renewal::uncounted) return problem_for(renewal);
    routing_request.is_counted = is_counted(renewal);
  }
  const auto named = named_node(request, routing_request);
  routing_request.named = named;
  const auto pinned = routing_request.is_counted ? pins_.last_node(routing_request.session) : std::string();
  routing_request.pinned = pinned;
  const auto routed = router_.route(routing_request);
  const auto refused = refusals(claims, contracts::client_prefix(request.client).value_or(""));
  if (request.channel.empty()) return json_response(session_document(routed, refused));
  return json_response(pings_document(routed, refused, view.receipt_lifetime));
}

Renewal ReportHandler::renew(const contracts::AccessRequest& request, const EventView& view,
                             const contracts::Token& token, const RoutingRequest& routing_request) {
  const auto client = counted_client(request.client, view.shared_networks);
  const access::Visitor visitor{.channel = routing_request.channel,
                                .account = token.owner.account,
                                .device = token.owner.device,
                                .client = client.address,
                                .network = client.network,
                                .opened = token.opened};
  const auto renewal = admission_.renew(token.session, visitor, view.session_idle);
  if (renewal != Renewal::unplaced) return renewal;
  return renew_placed(admission_, router_, visitor, routing_request, view.session_idle);
}

std::string ReportHandler::named_node(const contracts::AccessRequest& request, const RoutingRequest& routing_request) {
  std::string named = contracts::is_id(request.cache) ? request.cache : "";
  if (!routing_request.is_counted) return named;
  const auto session = routing_request.session;
  if (!named.empty()) {
    pins_.prefer(session, named);
    return named;
  }
  auto before = pins_.preferred(session);
  if (!request.reaches_none || before.empty()) return before;
  pins_.prefer(session, "");
  return "";
}

}  // namespace tribune::balancer
