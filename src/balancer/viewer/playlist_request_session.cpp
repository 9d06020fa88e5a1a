// The session of a request: its token, its renewal, and the admission of a new one.

#include <algorithm>
#include <utility>
#include <variant>

#include "balancer/sessions/admission_with_routing.h"
#include "balancer/sessions/player_capabilities.h"
#include "balancer/sessions/viewer_credentials.h"
#include "balancer/viewer/playlist_request.h"
#include "balancer/viewer/playlist_request_flow.h"
#include "contracts/canonical.h"
#include "http/problem.h"

namespace tribune::balancer {

bool PlaylistRequestFlow::authenticate(runtime::Worker& worker, Viewer& viewer, std::string_view text) {
  return contracts::looks_like_ticket(text) ? authenticate_ticket(viewer, text)
                                            : authenticate_token(worker, viewer, text);
}

bool PlaylistRequestFlow::authenticate_token(runtime::Worker& worker, Viewer& viewer, std::string_view text) {
  const auto& view = *viewer.view;
  auto token = workers_[worker.index].tokens.read(view.keys, viewer.channel->id, text, parts_.clock.wall_now(),
                                                  view.event->clock_skew);
  if (!token) {
    if (auto used = token_in_use(*view.keys, parts_.admission, viewer.channel->id, text)) token = std::move(*used);
  }
  if (!token) {
    refuse(viewer, http::problems::session_invalid, token.error().text, FlowResult::session_invalid);
    return false;
  }
  viewer.token = std::move(*token);
  if (viewer.kind == FlowKind::session || viewer.kind == FlowKind::multivariant) viewer.token_text = text;
  viewer.exchange->note.session = contracts::session_name(viewer.token.session);
  return check_entitlement(viewer) && renew(viewer, view.session_idle);
}

/// The rule of a paid channel. Its segments and keys are checked, too, if its links are not direct ones.
bool PlaylistRequestFlow::check_entitlement(Viewer& viewer) {
  if (viewer.channel->checks_segments()) viewer.token.links = contracts::LinksMode::redirect;
  auto verdict = parts_.paid_access.check(*viewer.channel, viewer.token.session, viewer.token.owner);
  viewer.is_ending = verdict.is_ending;
  if (verdict.refusal) refuse(viewer, std::move(*verdict.refusal), FlowResult::not_entitled);
  return !verdict.refusal;
}

bool PlaylistRequestFlow::renew(Viewer& viewer, std::chrono::milliseconds idle) {
  using Renewal = access::Admission::Renewal;
  const auto& token = viewer.token;
  const auto visitor = viewer.visitor();
  auto renewal = parts_.admission.renew(viewer.token.session, visitor, idle);
  if (renewal == Renewal::unplaced)
    renewal = renew_placed(parts_.admission, parts_.router, visitor, routing_request(viewer), idle);
  viewer.is_counted = renewal == Renewal::known || renewal == Renewal::adopted;
  if (viewer.is_counted || renewal == Renewal::uncounted) return true;
  if (renewal == Renewal::ended) release_session(token.session);
  refuse(viewer, problem_for(renewal), FlowResult::session_ended);
  return false;
}

/// Whether the viewer is the one for whom the session of a paid channel was opened: two players in two networks are
/// told from one by the live playlists that they fetch.
bool PlaylistRequestFlow::record_progress(Viewer& viewer, const SourceSnapshot& snapshot) {
  using Progress = access::Admission::Progress;
  const bool is_recorded = viewer.channel->access == contracts::ChannelAccess::paid && viewer.client &&
                           !snapshot.ended() && viewer.request().method != http::Method::head;
  if (!is_recorded) return true;
  const auto progress = parts_.admission.record_progress(viewer.token.session, {.channel = viewer.channel->id,
                                                                                .client = viewer.request().client,
                                                                                .network = viewer.client->network,
                                                                                .version = snapshot.variant_version()});
  if (progress == Progress::serve) return true;
  if (progress == Progress::end) {
    release_session(viewer.token.session);
    refuse(viewer, problem_for(access::Admission::Renewal::ended), FlowResult::session_ended);
  } else {
    refuse(viewer, http::problems::session_shared, "another network watches the channel with this session",
           FlowResult::session_ended);
  }
  return false;
}

void PlaylistRequestFlow::release_session(access::SessionId session) {
  parts_.pins.release(session);
  parts_.router.release(session);
  parts_.paid_access.sessions().release(session);
}

/// How long the session lasts without a further playlist request. A player loads an ended playlist once, and segment
/// links name no session, so the session of an ended playlist lasts as long as its segments.
std::chrono::milliseconds PlaylistRequestFlow::idle_for(const EventView& view, const SourceSnapshot& snapshot) {
  constexpr std::int64_t kMaxSegments = 1'000'000;
  const auto idle = std::max(view.session_idle, 3 * snapshot.target_duration());
  if (!snapshot.ended()) return idle;
  const auto segments = std::clamp<std::int64_t>(snapshot.next_msn() - snapshot.first_msn(), 0, kMaxSegments);
  return std::clamp(segments * snapshot.target_duration() + idle, idle, std::max(idle, view.ended_session_idle));
}

/// Renews the session again once the playlist is known, unless authenticate_token() has just renewed it for as long.
bool PlaylistRequestFlow::renew_for_playlist(Viewer& viewer, const PlaylistAnswer& found) {
  const auto idle = idle_for(*viewer.view, *found.snapshot);
  const bool was_renewed = !viewer.ticket && !found.waited && idle == viewer.view->session_idle;
  return was_renewed || renew(viewer, idle);
}

bool PlaylistRequestFlow::admit(Viewer& viewer) {
  if (!check_entitlement(viewer)) return false;
  const auto& view = *viewer.view;
  const auto now = parts_.clock.wall_now();
  viewer.token.opened = base::unix_seconds(now);
  viewer.token.links = links_for(*viewer.channel, viewer.player(), view.direct_players);
  // WHY: the response to HEAD has no body with the session's links, so the request opens no session that is counted.
  if (viewer.request().method != http::Method::head) {
    const auto decision = decide_on(viewer, nullptr);
    if (const auto* queued = std::get_if<access::Queued>(&decision)) return enqueue(viewer, *queued);
    if (const auto* refused = std::get_if<access::Refused>(&decision)) return refuse_admission(viewer, *refused);
    const auto* granted = std::get_if<access::Granted>(&decision);
    viewer.token.session = granted->session;
    viewer.token.first_node = contracts::node_mark(granted->node);
    viewer.is_new = viewer.is_counted = true;
    if (viewer.token.links == contracts::LinksMode::direct) parts_.pins.begin(granted->session);
    viewer.exchange->note.session = contracts::session_name(granted->session);
  }
  viewer.token_text = contracts::write_token(*view.keys, viewer.token, now);
  if (!viewer.token_text.empty()) return true;
  release_new_session(viewer);
  refuse(viewer, http::problems::internal, "every signing key has expired", FlowResult::no_key);
  return false;
}

void PlaylistRequestFlow::read_client_hints(Viewer& viewer) {
  auto named = http::query_value(viewer.request().query, "cache");
  if (!named) named = viewer.request().headers.first("X-Cache-Id");
  if (named && contracts::is_id(*named) && parts_.nodes.table()->find(*named)) viewer.preferred = *named;
  viewer.claims = read_claims(viewer.request().headers, viewer.request().query, *viewer.view->keys,
                              {viewer.view->receipt_lifetime, viewer.view->event->clock_skew}, parts_.clock.wall_now());
}

/// Saves the node that this request names, or applies the one that an earlier request of the session named.
void PlaylistRequestFlow::apply_preferred_node(Viewer& viewer) {
  if (!viewer.is_counted) return;
  if (viewer.preferred.empty())
    viewer.preferred = parts_.pins.preferred(viewer.token.session);
  else
    parts_.pins.prefer(viewer.token.session, viewer.preferred);
}

}  // namespace tribune::balancer
