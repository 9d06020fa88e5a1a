#include "balancer/steering/steering_handler.h"

#include <fmt/format.h>

#include "balancer/routing/pathways.h"
#include "balancer/routing/reachability_claims.h"
#include "balancer/sessions/viewer_credentials.h"
#include "balancer/steering/steered_playlist.h"
#include "contracts/ticket.h"
#include "contracts/token.h"
#include "http/problem.h"

namespace tribune::balancer {
namespace {

constexpr std::string_view kManifestType =
    "application/vnd.apple.steering-list";  // draft-pantos-content-steering section 11.1

// The path is absolute, because Shaka resolves RELOAD-URI against the playlist's URL, and other players against the
// manifest's.
std::string steering_uri(std::string_view channel, std::string_view session, const std::vector<std::string>& listed) {
  return fmt::format("/steering/{}?{}", channel, steering_query(session, listed));
}

const std::vector<double>& throughput_buckets() {
  static const std::vector<double> buckets{0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128};
  return buckets;
}

}  // namespace

SteeringHandler::SteeringHandler(const base::Clock& clock, base::Metrics& metrics, SessionRouter& router,
                                 SessionPins& pins, const access::Admission& admission, PaidAccess& paid_access,
                                 const PublishedView& view)
    : clock_(clock),
      metrics_(metrics),
      router_(router),
      pins_(pins),
      admission_(admission),
      paid_access_(paid_access),
      view_(view) {}

bool SteeringHandler::knows(std::string_view pathway) const {
  return pathway == kOriginPathway || router_.knows_group(pathway);
}

http::Response SteeringHandler::answer(std::string_view channel, const http::Request& request) {
  const auto view = view_.get();
  const auto* known = view->event->find(channel);
  if (!known) return http::problem(http::problems::channel_unknown, "no channel has this id");
  if (!known->steering) return http::problem(http::problems::not_found, "this channel does not use content steering");
  const auto query = parse_steering_query(request.query);
  const auto token = session_of(query, *known, *view);
  const auto session = token.session;
  if (known->access == contracts::ChannelAccess::paid && !token.owner.entitled)
    return paid_access_.purchase_required(known->id);
  // A manifest has nothing of the channel, so a session that does not watch is not looked up.
  if (session != 0 && admission_.is_watching(session))
    if (auto verdict = paid_access_.check(*known, session, token.owner); verdict.refusal)
      return std::move(*verdict.refusal);
  const auto claims = read_claims(request.headers, request.query, *view->keys,
                                  {view->receipt_lifetime, view->event->clock_skew}, clock_.wall_now());
  const auto pinned = session != 0 ? pins_.last_node(session) : std::string();
  RoutingRequest routing_request;
  routing_request.client = request.client;
  routing_request.channel = known->id;
  routing_request.claims = &claims;
  routing_request.pinned = pinned;
  routing_request.session = session;
  routing_request.may_use_origin = router_.may_use_origin(*known);
  const auto standings = router_.standings(routing_request, kMostPathways, session != 0);

  auto manifest = manifest_for(query, order_of(standings.groups, routing_request.may_use_origin));
  const bool is_urgent = is_under_pressure(standings.groups, manifest.priority, query.pathway);
  manifest.ttl =
      std::chrono::ceil<std::chrono::seconds>(is_urgent ? view->steering.ttl_under_pressure : view->steering.ttl);
  // WHY: Shaka 5.2 ends its steering at a RELOAD-URI without a host, which this balancer does not know. Without a
  // RELOAD-URI players repeat their request.
  if (session == 0 && !query.session.empty()) manifest.reload_uri = steering_uri(known->id, "", query.listed);
  count(query, knows(query.pathway));
  http::Response response;
  response.headers = {{"Content-Type", std::string(kManifestType)}, {"Cache-Control", "no-store"}};
  response.body = to_json(manifest);
  return response;
}

/// Its session is 0 for an invalid token or ticket: such a viewer is steered by the request alone.
contracts::Token SteeringHandler::session_of(const SteeringQuery& query, const contracts::Channel& channel,
                                             const EventView& view) const {
  const auto now = clock_.wall_now();
  if (contracts::looks_like_ticket(query.session)) {
    const auto ticket = read_ticket(*view.keys, admission_, channel.id, query.session, now, view.event->clock_skew);
    return ticket ? contracts::Token{.channel = channel.id, .session = ticket->session, .owner = ticket->owner}
                  : contracts::Token{};
  }
  const auto token = read_token(*view.keys, admission_, channel.id, query.session, now, view.event->clock_skew);
  return token ? *token : contracts::Token{};
}

/// Counts a request by the present pathway of the player. Only groups that exist become labels.
void SteeringHandler::count(const SteeringQuery& query, bool is_known) {
  const std::string_view pathway = is_known ? std::string_view(query.pathway) : "";
  metrics_
      .counter("tribune_balancer_steering_requests_total",
               "Steering manifests, by the current pathway of the player. Empty: the player did not report one.",
               {{"pathway", pathway}})
      .add();
  if (!query.throughput_bps) return;
  metrics_
      .histogram("tribune_balancer_steering_throughput_mbps",
                 "Throughput that players measured on their pathway, in Mbit/s.", throughput_buckets(),
                 {{"pathway", pathway}})
      .observe(static_cast<double>(*query.throughput_bps) / 1e6);
}

std::string SteeringHandler::playlist(std::string_view text, std::string_view under, std::string_view pass,
                                      const RoutingRequest& request, const SteeringSettings& settings) {
  const auto standings = router_.standings(request, kMostPathways, false);
  const auto order =
      order_of(best_of(standings.groups, static_cast<std::size_t>(settings.most_pathways)), request.may_use_origin);
  return steered(text, under, {steering_uri(request.channel, pass, order), order});
}

}  // namespace tribune::balancer
