#include "balancer/access_http/report_handler.h"

#include "balancer/routing/reachability_claims.h"
#include "balancer/sessions/admission_with_routing.h"
#include "balancer/sessions/viewer_credentials.h"
#include "base/json.h"
#include "contracts/canonical.h"
#include "contracts/ticket.h"
#include "http/problem.h"

namespace tribune::balancer {

using Renewal = access::Admission::Renewal;

/// A token or ticket is signed for its channel but does not name it, so the channels of the event are tried.
http::Response ReportHandler::answer(const contracts::AccessRequest& request, const EventView& view) {
  const auto now = clock_.wall_now();
  for (const auto& channel : view.event->channels) {
    if (contracts::looks_like_ticket(request.pass)) {
      const auto ticket = read_ticket(*view.keys, admission_, channel.id, request.pass, now, view.event->clock_skew);
      if (ticket)
        return route(request, view, channel,
                     {.channel = channel.id, .session = ticket->session, .owner = ticket->owner}, true);
    } else if (const auto token =
                   read_token(*view.keys, admission_, channel.id, request.pass, now, view.event->clock_skew)) {
      return route(request, view, channel, *token, false);
    }
  }
  return http::problem(http::problems::session_invalid, "this is neither a session nor a ticket of this event");
}

http::Response ReportHandler::route(const contracts::AccessRequest& request, const EventView& view,
                                    const contracts::Channel& channel, const contracts::Token& token, bool waits) {
  const auto session = token.session;
  if (auto verdict = paid_access_.check(channel, session, token.owner); verdict.refusal)
    return std::move(*verdict.refusal);
  const auto claims = claims_of(request.gone, request.receipts, *view.keys,
                                {view.receipt_lifetime, view.event->clock_skew}, clock_.wall_now());
  RoutingRequest routing_request;
  routing_request.client = request.client;
  routing_request.channel = channel.id;
  routing_request.claims = &claims;
  routing_request.session = session;
  routing_request.may_use_origin = channel.fallback == contracts::Fallback::origin;
  // A ticket may still wait, and a report admits no viewer: the report is answered, but routing does not record its
  // session.
  auto renewal = Renewal::uncounted;
  if (!waits) {
    const auto client = counted_client(request.client, view.shared_networks);
    const access::Visitor visitor{.channel = channel.id,
                                  .account = token.owner.account,
                                  .device = token.owner.device,
                                  .client = client.address,
                                  .network = client.network,
                                  .opened = token.opened};
    renewal = admission_.renew(session, visitor, view.session_idle);
    if (renewal == Renewal::unplaced)
      renewal = renew_placed(admission_, router_, visitor, routing_request, view.session_idle);
    const bool watches = renewal == Renewal::known || renewal == Renewal::adopted || renewal == Renewal::uncounted;
    if (!watches) return http::problem(http::problems::session_ended, std::string(renewal_detail(renewal)));
  }
  routing_request.is_counted = renewal == Renewal::known || renewal == Renewal::adopted;
  std::string named = contracts::is_id(request.cache) ? request.cache : "";
  if (routing_request.is_counted && !named.empty()) pins_.prefer(session, named);
  if (routing_request.is_counted && named.empty()) named = pins_.preferred(session);
  routing_request.named = named;
  const auto pinned = routing_request.is_counted ? pins_.last_node(session) : std::string();
  routing_request.pinned = pinned;
  const auto routed = router_.route(routing_request);
  const auto* node = routed.choice.node;
  base::json::Writer w;
  w.begin_object()
      .member("status", "routed")
      .member("node", node ? node->address->id : "")
      .member("url", node ? node->address->url : "");
  w.member("reason", to_string(routed.choice.reason)).key("receipts_refused").begin_array();
  for (const auto& why : claims.refused) w.value(why);
  w.end_array().end_object();
  http::Response response;
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  response.body = w.take();
  return response;
}

}  // namespace tribune::balancer
