#include "balancer/access_http/access_handler.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>
#include <variant>

#include "balancer/sessions/admission_with_routing.h"
#include "balancer/sessions/player_capabilities.h"
#include "balancer/sessions/viewer_credentials.h"
#include "base/json.h"
#include "contracts/canonical.h"
#include "contracts/signed_body.h"
#include "contracts/ticket.h"
#include "contracts/token.h"
#include "http/problem.h"

namespace tribune::balancer {
namespace {

using contracts::AccessRequest;

base::Counter access_requests_counter(base::Metrics& metrics, std::string_view result) {
  return metrics.counter("tribune_balancer_access_requests_total", "Requests to /api/v1/access, by result.",
                         {{"result", result}});
}

http::Response json_reply(std::string body, access::SessionId session,
                          std::optional<std::int64_t> retry_after = std::nullopt) {
  http::Response response;
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  if (session != 0) response.headers.add(contracts::kSessionNameHeader, contracts::session_name(session));
  if (retry_after) response.headers.add("Retry-After", std::to_string(*retry_after));
  response.body = std::move(body);
  return response;
}

std::int64_t whole_seconds(std::chrono::milliseconds time) {
  return std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(time).count());
}

bool is_in_effect(const std::optional<contracts::EntitledDevice>& entitled, base::WallTime now) {
  return entitled && (entitled->until == 0 || base::unix_seconds(now) < entitled->until);
}

std::string message_for(const access::Queued& queued, std::int64_t retry_after) {
  if (queued.ahead == 0) return "You are next";
  const auto when = queued.eta
                        ? fmt::format(", about {} minutes", std::max<std::int64_t>(1, (queued.eta->count() + 59) / 60))
                        : std::string();
  return fmt::format("You are in the queue: {} before you{}. Try again in {} seconds", queued.ahead, when, retry_after);
}

}  // namespace

AccessHandler::AccessHandler(const base::Clock& clock, base::Log& log, base::Metrics& metrics,
                             access::Admission& admission, SessionPins& pins, SessionRouter& router,
                             PaidAccess& paid_access, const PublishedView& view)
    : clock_(clock),
      log_(log),
      admission_(admission),
      pins_(pins),
      router_(router),
      paid_access_(paid_access),
      view_(view),
      reports_(clock, admission, pins, router, paid_access),
      caches_(router),
      granted_(access_requests_counter(metrics, "granted")),
      queued_(access_requests_counter(metrics, "queued")),
      full_(access_requests_counter(metrics, "full")),
      refused_(access_requests_counter(metrics, "refused")),
      stopped_(access_requests_counter(metrics, "stopped")),
      forged_(access_requests_counter(metrics, "forged")) {}

http::Response AccessHandler::answer(const http::Request& http_request) {
  const auto view = view_.get();
  if (http_request.body.size() > contracts::kMaxAccessRequestBytes) {  // checked before the signature is computed
    forged_.add();
    return http::problem(http::problems::body_too_large, "the body exceeds the maximum size of an access request");
  }
  const auto signature = http_request.headers.first(contracts::kSignatureHeader).value_or("");
  const auto context = "POST " + std::string(contracts::kAccessPath);
  const auto verified = contracts::verify_body(*view->keys, context, http_request.body, signature, clock_.wall_now(),
                                               view->event->clock_skew);
  if (!verified) {
    forged_.add();
    log_.warning("balancer", "access_request_refused",
                 {{"client", http_request.client}, {"reason", verified.error().text}});
    return http::problem(http::problems::forbidden, verified.error().text);
  }
  const auto request = contracts::access_request_from_json(http_request.body);
  if (!request) return http::problem(http::problems::bad_request, request.error().text);
  switch (request->action) {
    case AccessRequest::Action::stop:
    case AccessRequest::Action::leave: return stop(*request, *view);
    case AccessRequest::Action::report: return reports_.answer(*request, *view);
    case AccessRequest::Action::caches: return caches_.answer(*request, *view);
    case AccessRequest::Action::open: break;
  }
  return open(*request, *view);
}

http::Response AccessHandler::open(const AccessRequest& request, const EventView& view) {
  const auto* channel = view.event->find(request.channel);
  if (!channel) return http::problem(http::problems::channel_unknown, "no channel has this id");
  std::optional<access::TicketClaim> claim;
  auto owner = contracts::owner_of(request.account, request.device);
  if (!request.pass.empty()) {
    auto ticket =
        read_ticket(*view.keys, admission_, channel->id, request.pass, clock_.wall_now(), view.event->clock_skew);
    if (!ticket) {
      refused_.add();
      return http::problem(http::problems::ticket_invalid, ticket.error().text);
    }
    claim = claim_of(*ticket);
    if (owner.account.empty()) owner = std::move(ticket->owner);  // polled by a client that does not know the account
  }
  if (request.entitled) owner.entitled = request.entitled;  // the api has just looked
  if (channel->access == contracts::ChannelAccess::free) owner.entitled.reset();
  if (auto refusal = refusal_of(request, *channel, owner, claim)) {
    refused_.add();
    return std::move(*refusal);
  }
  if (!has_lane(*channel, request.lane))
    return http::problem(http::problems::bad_request, "no lane has the name \"" + request.lane + "\"");
  const auto client = counted_client(request.client, view.shared_networks);
  const access::Visitor visitor{.channel = channel->id,
                                .account = owner.account,
                                .device = owner.device,
                                .lane = request.lane,
                                .client = client.address,
                                .network = client.network,
                                .opened = base::unix_seconds(clock_.wall_now())};
  RoutingRequest routing_request;
  routing_request.client = request.client;
  routing_request.channel = channel->id;
  if (contracts::is_id(request.cache)) routing_request.named = request.cache;
  routing_request.may_use_origin = router_.may_use_origin(*channel);
  const auto decision =
      decide(admission_, router_, visitor, routing_request, claim ? &*claim : nullptr, view.session_idle);
  if (const auto* got_in = std::get_if<access::Granted>(&decision))
    return granted(request, view, *channel, *got_in, owner);
  if (const auto* waits = std::get_if<access::Queued>(&decision)) return queued(request, view, *channel, *waits, owner);
  return refused(*channel, std::get<access::Refused>(decision));
}

/// Of a viewer of a paid channel. A ticket contains what was true when it was issued, so its session is checked.
std::optional<http::Response> AccessHandler::refusal_of(const AccessRequest& request, const contracts::Channel& channel,
                                                        const contracts::Owner& owner,
                                                        const std::optional<access::TicketClaim>& claim) {
  if (channel.access == contracts::ChannelAccess::free) return std::nullopt;
  if (!request.entitled && claim) return paid_access_.check(channel, claim->session, owner).refusal;
  if (is_in_effect(request.entitled, clock_.wall_now())) return std::nullopt;
  return paid_access_.purchase_required(channel.id);
}

bool AccessHandler::has_lane(const contracts::Channel& channel, std::string_view name) const {
  if (name.empty()) return true;
  const auto status = admission_.queue_status(channel.id);
  return status && std::any_of(status->lanes.begin(), status->lanes.end(),
                               [&](const access::LaneStatus& lane) { return lane.name == name; });
}

http::Response AccessHandler::granted(const AccessRequest& request, const EventView& view,
                                      const contracts::Channel& channel, const access::Granted& granted,
                                      const contracts::Owner& owner) {
  for (const auto replaced : granted.replaced) forget(replaced);
  const auto now = clock_.wall_now();
  const auto links = links_for(channel, request.user_agent, view.direct_players);
  const contracts::Token value{
      channel.id, granted.session, base::unix_seconds(now), links, contracts::node_mark(granted.node), owner};
  const auto token = contracts::write_token(*view.keys, value, now);
  if (token.empty()) {
    admission_.take_back(granted.session);
    forget(granted.session);
    return http::problem(http::problems::internal, "every signing key has expired");
  }
  if (contracts::is_id(request.cache)) pins_.prefer(granted.session, request.cache);
  if (links == contracts::LinksMode::direct && granted.is_new) pins_.begin(granted.session);
  if (request.entitled && owner.entitled) paid_access_.sessions().open(granted.session, channel.id, *request.entitled);
  granted_.add();
  base::json::Writer w;
  w.begin_object().member("status", "granted").member("channel", channel.id).member("session", token);
  w.member("playback_url", fmt::format("{}/live/{}/index.m3u8?session={}", request.playback_base, channel.id, token));
  return json_reply(w.end_object().take(), granted.session);
}

http::Response AccessHandler::queued(const AccessRequest& request, const EventView& view,
                                     const contracts::Channel& channel, const access::Queued& queued,
                                     const contracts::Owner& owner) {
  const auto now = clock_.wall_now();
  auto ticket = request.pass;
  if (ticket.empty() || queued.is_new || request.entitled) {  // a renewed entitlement is in a new text of the ticket
    const auto links = links_for(channel, request.user_agent, view.direct_players);
    ticket = contracts::write_ticket(*view.keys, ticket_for(channel.id, queued.ticket, links, now, owner), now);
  }
  if (ticket.empty()) {
    if (queued.is_new) admission_.take_back(channel.id, queued.ticket);
    return http::problem(http::problems::internal, "every signing key has expired");
  }
  queued_.add();
  const auto retry_after = whole_seconds(queued.retry_after);
  base::json::Writer w;
  w.begin_object()
      .member("status", "queued")
      .member("channel", channel.id)
      .member("ticket", ticket)
      .member("lane", queued.lane);
  w.member("number", queued.ticket.number)
      .member("position", queued.ahead + 1)
      .member("ahead", queued.ahead)
      .member("served", queued.served);
  w.key("eta_seconds");
  if (queued.eta)
    w.value(std::int64_t{queued.eta->count()});
  else
    w.null();
  w.member("retry_after_seconds", retry_after)
      .member("queue_url", "/queue/" + channel.id)
      .member("message", message_for(queued, retry_after));
  return json_reply(w.end_object().take(), queued.ticket.session, retry_after);
}

http::Response AccessHandler::refused(const contracts::Channel& channel, const access::Refused& refused) {
  if (refused.reason != access::DenyReason::queue_full && refused.reason != access::DenyReason::busy) {
    refused_.add();
    return problem_for(refused);
  }
  full_.add();
  const auto retry_after = std::max<std::int64_t>(1, refused.come_back.count());
  base::json::Writer w;
  w.begin_object().member("status", "full").member("channel", channel.id).member("retry_after_seconds", retry_after);
  w.member("message", detail_of(refused));
  return json_reply(w.end_object().take(), 0, retry_after);
}

void AccessHandler::forget(access::SessionId session) {
  pins_.release(session);
  router_.release(session);
  paid_access_.sessions().release(session);
}

/// A viewer that leaves may return soon, and then gets the same node.
bool AccessHandler::end(access::SessionId session, AccessRequest::Action how) {
  if (how == AccessRequest::Action::leave) return admission_.leave(session);
  forget(session);
  return admission_.release(session);
}

/// A token or ticket is signed for its channel but does not name it, so the channels of the event are tried.
http::Response AccessHandler::stop(const AccessRequest& request, const EventView& view) {
  const auto now = clock_.wall_now();
  std::optional<bool> was_open;
  access::SessionId session = 0;
  for (const auto& channel : view.event->channels) {
    if (contracts::looks_like_ticket(request.pass)) {
      const auto ticket = read_ticket(*view.keys, admission_, channel.id, request.pass, now, view.event->clock_skew);
      if (!ticket) continue;
      session = ticket->session;
      const bool waited = admission_.cancel(channel.id, claim_of(*ticket));
      if (waited) forget(ticket->session);
      was_open = waited || end(ticket->session, request.action);
    } else if (const auto token =
                   read_token(*view.keys, admission_, channel.id, request.pass, now, view.event->clock_skew)) {
      session = token->session;
      was_open = end(session, request.action);
    }
    if (was_open) break;
  }
  if (!was_open) {
    refused_.add();
    return http::problem(http::problems::session_invalid, "this is neither a session nor a ticket of this event");
  }
  stopped_.add();
  base::json::Writer w;
  w.begin_object().member("status", "stopped").member("was_open", *was_open);
  return json_reply(w.end_object().take(), session);
}

}  // namespace tribune::balancer
