#include "balancer/viewer/playlist_request_flow.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "balancer/node_push/following_nodes.h"
#include "balancer/node_push/snapshot_hold.h"
#include "balancer/routing/pathways.h"
#include "balancer/sessions/admission_with_routing.h"
#include "balancer/sessions/player_capabilities.h"
#include "balancer/sessions/viewer_credentials.h"
#include "balancer/sources/source_links.h"
#include "balancer/viewer/playlist_request.h"
#include "balancer/viewer/playlist_response.h"
#include "contracts/canonical.h"
#include "contracts/link.h"
#include "contracts/origin_path.h"
#include "http/problem.h"
#include "http/uri.h"

namespace tribune::balancer {

// ---- the journey ----

void PlaylistRequestFlow::open(runtime::Worker& worker, std::unique_ptr<net::Exchange> exchange,
                               const http::PathParameters& parameters) {
  Viewer viewer{FlowKind::session, std::move(exchange), parts_.view.get(), {}, "index.m3u8"};
  viewer.token.channel = parameters["channel"];
  const auto token = http::query_value(viewer.request().query, "session");
  if (!find_channel(viewer)) return;
  read_client_hints(viewer);
  if (token ? !authenticate(worker, viewer, *token) : !admit(viewer)) return;
  keep_cache(viewer);
  if (token && viewer.is_counted && !viewer.claims.empty())
    route(viewer);                 // what it says counts at once; a newcomer's was heard as it came in
  ask(worker, std::move(viewer));  // answer_session()
}

void PlaylistRequestFlow::within(runtime::Worker& worker, std::unique_ptr<net::Exchange> exchange,
                                 const http::PathParameters& parameters) {
  std::string path(parameters["path"]);
  auto pathway = take_pathway(path);
  const bool is_document = path.starts_with(kDocumentPath);
  const bool is_segment = !is_document && contracts::has_link(exchange->request().query);
  const auto kind = is_document            ? FlowKind::document
                    : is_segment           ? FlowKind::segment
                    : path == "index.m3u8" ? FlowKind::multivariant
                                           : FlowKind::media;
  Viewer viewer{kind, std::move(exchange), parts_.view.get(), {}, std::move(path)};
  viewer.pathway = std::move(pathway);
  viewer.token.channel = parameters["channel"];
  if (!find_channel(viewer)) return;
  if (viewer.path.starts_with(kGapPath)) return answer_gap(viewer);
  if (!viewer.channel->steering || !parts_.steering.knows(viewer.pathway))
    viewer.pathway.clear();  // the path leads where it would without
  if (!authenticate(worker, viewer, parameters["session"])) return;
  if (is_document) {
    viewer.token_text = parameters["session"];
    return ask_document(worker, std::move(viewer));
  }
  if (lead_to_clone(viewer, parameters["session"])) return;
  read_client_hints(viewer);
  if (viewer.ticket && kind == FlowKind::media && !enter(viewer)) return;  // the waiting room answered
  keep_cache(viewer);
  if (is_segment) return redirect(viewer);
  ask(worker, std::move(viewer));  // answer_playlist()
}

void PlaylistRequestFlow::answer(runtime::Worker& worker, Viewer& viewer, base::Result<PlaylistAnswer> found) {
  if (!found) {
    give_back(viewer);
    return refuse(viewer, problem_of(found.error()), detail_for_viewers(found.error()), FlowResult::source_failed);
  }
  viewer.exchange->note.cache = found->stale ? "stale" : found->waited ? "waited" : "hit";
  if (viewer.kind == FlowKind::session) return answer_session(viewer, *found);
  answer_playlist(worker, viewer, *found);
}

// ---- its steps ----

bool PlaylistRequestFlow::find_channel(Viewer& viewer) {
  viewer.channel = viewer.view->event->find(viewer.token.channel);
  if (!viewer.channel)
    refuse(viewer, http::problems::channel_unknown, "no channel has this id", FlowResult::channel_unknown);
  return viewer.channel != nullptr;
}

bool PlaylistRequestFlow::authenticate(runtime::Worker& worker, Viewer& viewer, std::string_view text) {
  return contracts::looks_like_ticket(text) ? take_ticket(viewer, text) : take_token(worker, viewer, text);
}

bool PlaylistRequestFlow::take_token(runtime::Worker& worker, Viewer& viewer, std::string_view text) {
  const auto& view = *viewer.view;
  auto token = desks_[worker.index].tokens.read(view.keys, viewer.channel->id, text, parts_.clock.wall_now(),
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
  return renew(viewer, view.session_idle);
}

bool PlaylistRequestFlow::renew(Viewer& viewer, std::chrono::milliseconds idle) {
  using Renewal = access::Admission::Renewal;
  const auto& token = viewer.token;
  const auto visitor = viewer.visitor();
  auto renewal = parts_.admission.renew(viewer.token.session, visitor, idle);
  if (renewal == Renewal::unplaced)
    renewal = renew_placed(parts_.admission, parts_.router, visitor, asked_of(viewer), idle);
  viewer.is_counted = renewal == Renewal::known || renewal == Renewal::adopted;
  if (viewer.is_counted || renewal == Renewal::uncounted) return true;
  if (renewal == Renewal::ended) {
    parts_.pins.release(token.session);
    parts_.router.release(token.session);
  }
  const auto& problem = renewal == Renewal::shared ? http::problems::forbidden : http::problems::session_ended;
  refuse(viewer, problem, why_not(renewal), FlowResult::session_ended);
  return false;
}

/// How long the viewer may watch what it is told here without a further playlist request. One that has ended is not
/// asked for again, and segment links name no session: nothing else would say that it is watched.
std::chrono::milliseconds PlaylistRequestFlow::idle_for(const EventView& view, const SourceSnapshot& snapshot) {
  constexpr std::int64_t kMostSegments = 1'000'000;
  const auto idle = std::max(view.session_idle, 3 * snapshot.target_duration());
  if (!snapshot.ended()) return idle;
  const auto segments = std::clamp<std::int64_t>(snapshot.next_msn() - snapshot.first_msn(), 0, kMostSegments);
  return std::clamp(segments * snapshot.target_duration() + idle, idle, std::max(idle, view.ended_session_idle));
}

/// Once more when the playlist is known, unless the request's own renewal has just given as much.
bool PlaylistRequestFlow::renew_for(Viewer& viewer, const PlaylistAnswer& found) {
  const auto idle = idle_for(*viewer.view, *found.snapshot);
  const bool was_renewed = !viewer.ticket && !found.waited && idle == viewer.view->session_idle;
  return was_renewed || renew(viewer, idle);
}

bool PlaylistRequestFlow::admit(Viewer& viewer) {
  const auto& view = *viewer.view;
  const auto now = parts_.clock.wall_now();
  viewer.token.opened = base::unix_seconds(now);
  viewer.token.links = links_for(viewer.channel->links, viewer.player(), view.direct_players);
  // WHY: nobody sees the body of a HEAD, so its session stands for no viewer and takes no place.
  if (viewer.request().method != http::Method::head) {
    const auto decision = decide_on(viewer, nullptr);
    if (const auto* queued = std::get_if<access::Queued>(&decision)) return queue(viewer, *queued);
    if (const auto* refused = std::get_if<access::Refused>(&decision)) return turn_away(viewer, *refused);
    const auto* granted = std::get_if<access::Granted>(&decision);
    viewer.token.session = granted->session;
    viewer.token.first_node = contracts::node_mark(granted->node);
    viewer.is_new = viewer.is_counted = true;
    if (viewer.token.links == contracts::LinksMode::direct) parts_.pins.begin(granted->session);
    viewer.exchange->note.session = contracts::session_name(granted->session);
  }
  viewer.token_text = contracts::write_token(*view.keys, viewer.token, now);
  if (!viewer.token_text.empty()) return true;
  give_back(viewer);
  refuse(viewer, http::problems::internal, "every signing key has ended", FlowResult::no_key);
  return false;
}

void PlaylistRequestFlow::read_client_hints(Viewer& viewer) {
  auto named = http::query_value(viewer.request().query, "cache");
  if (!named) named = viewer.request().headers.first("X-Cache-Id");
  if (named && contracts::is_id(*named) && parts_.nodes.table()->find(*named)) viewer.preferred = *named;
  viewer.claims = read_claims(viewer.request().headers, viewer.request().query, *viewer.view->keys,
                              {viewer.view->receipt_lifetime, viewer.view->event->clock_skew}, parts_.clock.wall_now());
}

void PlaylistRequestFlow::keep_cache(Viewer& viewer) {
  if (!viewer.is_counted) return;
  if (viewer.preferred.empty())
    viewer.preferred = parts_.pins.preferred(viewer.token.session);
  else
    parts_.pins.prefer(viewer.token.session, viewer.preferred);
}

void PlaylistRequestFlow::ask(runtime::Worker& worker, Viewer viewer) {
  auto& desk = desks_[worker.index];
  const auto place = desk.next_place++;
  const auto query = viewer.turn ? turned_query(viewer.request().query, *viewer.turn) : std::string();
  const PlaylistQuestion question{viewer.channel->id, viewer.path, viewer.turn ? query : viewer.request().query};
  // Memory answers inside the call, and the viewer never leaves this frame: 2,000 instructions less than a place among
  // who waits.
  desk.asking = {place, &viewer};
  auto asking = parts_.ask(worker, question, [this, &worker, &desk, place](base::Result<PlaylistAnswer> found) {
    if (desk.asking.viewer && desk.asking.place == place)
      return answer(worker, *std::exchange(desk.asking, {}).viewer, std::move(found));
    auto waited = desk.waiting.extract(place);
    if (waited) answer(worker, waited.mapped(), std::move(found));
  });
  if (!std::exchange(desk.asking, {}).viewer) return;
  viewer.asking = std::move(asking);
  wait(desk, place, std::move(viewer));
}

void PlaylistRequestFlow::wait(Desk& desk, std::uint64_t place, Viewer viewer) {
  auto& waits = desk.waiting.emplace(place, std::move(viewer)).first->second;
  waits.exchange->on_gone([this, &desk, place] {
    const auto left = desk.waiting.extract(place);
    if (left) metrics_.count(left.mapped().kind, FlowResult::gone);
  });
}

void PlaylistRequestFlow::answer_session(Viewer& viewer, const PlaylistAnswer& found) {
  auto text = found.snapshot->text_for_bare_url(viewer.token_text);
  if (offers_pathways(viewer))
    text = parts_.steering.playlist(text, "~" + viewer.token_text + "/", viewer.token_text, asked_of(viewer),
                                    viewer.view->steering);
  reply(viewer, session_playlist_reply(std::move(text)), found.stale ? FlowResult::stale : FlowResult::ok);
}

void PlaylistRequestFlow::answer_playlist(runtime::Worker& worker, Viewer& viewer, const PlaylistAnswer& found) {
  const auto& snapshot = *found.snapshot;
  const bool waits = viewer.ticket && snapshot.is_multivariant();  // or may wait: nothing is renewed by it
  if (!waits && !renew_for(viewer, found)) return;
  if (snapshot.is_multivariant() && offers_pathways(viewer)) {
    const auto text = snapshot.render({})->body;
    auto steered = parts_.steering.playlist(*text, "", viewer.token_text, asked_of(viewer), viewer.view->steering);
    return reply(viewer, session_playlist_reply(std::move(steered)), found.stale ? FlowResult::stale : FlowResult::ok);
  }
  std::shared_ptr<const Rendered> rendered;
  if (snapshot.is_multivariant()) {
    rendered = snapshot.render({});
  } else {
    const auto routed = route(viewer);
    const auto shown = listed(worker, viewer, found, routed.choice);
    if (!shown) return;  // it waits
    rendered = shown->render(pin(viewer, routed, *shown));
  }
  if (viewer.ticket && !waits) {
    rendered = turned(viewer, *rendered);
    if (!rendered) return;  // answered
  }
  auto response = playlist_reply(viewer.request().headers, *rendered);
  const auto result = response.status == 304 ? FlowResult::not_modified
                      : found.stale          ? FlowResult::stale
                                             : FlowResult::ok;
  reply(viewer, std::move(response), result);
}

/// Not below a pathway: its children would stand below two.
bool PlaylistRequestFlow::offers_pathways(const Viewer& viewer) const {
  return viewer.channel->steering && viewer.pathway.empty();
}

/// A clone has the base's URL with the clone's name in the query; its own playlist is the one under the clone's path.
/// Whether it was answered.
bool PlaylistRequestFlow::lead_to_clone(Viewer& viewer, std::string_view session) {
  const auto named =
      viewer.kind == FlowKind::media ? http::query_value(viewer.request().query, kCloneKey) : std::nullopt;
  if (!named || *named == viewer.pathway || !viewer.channel->steering || !parts_.steering.knows(*named)) return false;
  const auto query = http::query_without(viewer.request().query, [](std::string_view key) { return key == kCloneKey; });
  const auto target =
      "/live/" + viewer.channel->id + "/~" + std::string(session) + "/" + pathway_element(*named) + viewer.path;
  http::Response response;
  response.status = 307;
  response.headers = {
      {"Location", http::relative_reference(viewer.request().path, target) + (query.empty() ? "" : "?" + query)},
      {"Cache-Control", "no-store"}};
  reply(viewer, std::move(response), FlowResult::ok);
  return true;
}

/// What the viewers of that node see by now. Null when this one waits for what they do not: it is answered as soon as
/// they do.
SnapshotPtr PlaylistRequestFlow::listed(runtime::Worker& worker, Viewer& viewer, const PlaylistAnswer& found,
                                        const RoutingChoice& choice) {
  const auto node = choice.node ? std::string_view(choice.node->address->id) : std::string_view();
  if (auto* audience = found.snapshot->audience(); audience && choice.node)
    audience->seen(node, parts_.clock.steady_now());
  auto* gate = found.snapshot->gate();
  if (!gate) return found.snapshot;
  auto shown = gate->listed(found.snapshot, node, viewer.token.session);
  if (!found.want || shown->lists(*found.want)) return shown;
  auto& desk = desks_[worker.index];
  const auto place = desk.next_place++;
  auto later = found;
  later.waited = true;
  const bool waits = gate->wait(node, viewer.token.session, [this, &worker, &desk, place, later = std::move(later)] {
    worker.loop.post([this, &worker, &desk, place, later] {
      auto waited = desk.waiting.extract(place);
      if (waited) answer(worker, waited.mapped(), later);
    });
  });
  if (!waits) return gate->listed(found.snapshot, node, viewer.token.session);  // opened meanwhile
  wait(desk, place, std::move(viewer));
  return nullptr;
}

/// How long a player that does not ask again may use what the playlist lists: origins keep a segment for as long as it
/// was listed and the longest playlist with it once more (RFC 8216 section 6.2.2).
std::chrono::milliseconds PlaylistRequestFlow::held_for(const SourceSnapshot& snapshot) {
  constexpr std::int64_t kMostSegments = 1'000'000;
  return 2 * std::clamp<std::int64_t>(snapshot.next_msn() - snapshot.first_msn(), 0, kMostSegments) *
         snapshot.target_duration();
}

LinkPins PlaylistRequestFlow::pin(Viewer& viewer, const Routed& routed, const SourceSnapshot& snapshot) {
  const auto& choice = routed.choice;
  if (viewer.token.links == contracts::LinksMode::redirect) return {};
  if (!choice.node) return {};  // redirect links: whoever is there when the segment is asked for
  if (!viewer.is_counted) return {{0, choice.node->address->url}};
  // Where the player was asked for, direct links were given because it bears this.
  const bool was_chosen_by_player = viewer.channel->links == contracts::LinksMode::automatic;
  const bool bears_it = was_chosen_by_player || bears_rewriting(viewer.player(), viewer.view->direct_players);
  return parts_.pins.pin(viewer.token.session, {snapshot.first_msn(), snapshot.next_msn(), held_for(snapshot)},
                         *routed.nodes, choice.node->address, bears_it, viewer.pathway, viewer.first);
}

void PlaylistRequestFlow::redirect(Viewer& viewer) {
  const auto& view = *viewer.view;
  const auto& query = viewer.request().query;
  const auto verify = [&](std::optional<std::int64_t> listed) {
    return contracts::verify_link(*view.keys, viewer.channel->id, viewer.path, query, parts_.clock.wall_now(),
                                  view.event->clock_skew, listed);
  };
  auto link = verify(std::nullopt);
  if (!link && link.error().kind == base::ErrorKind::timeout) link = verify(listed_from(viewer));
  if (!link) {
    const bool expired = link.error().kind == base::ErrorKind::timeout;
    return refuse(viewer, expired ? http::problems::link_expired : http::problems::link_invalid, link.error().text,
                  expired ? FlowResult::link_expired : FlowResult::link_invalid);
  }
  const auto routed = route(viewer);
  const auto& choice = routed.choice;
  if (choice.reason == RoutingReason::origin) return redirect_to_origin(viewer, *link);
  if (!choice.node)
    return refuse(viewer, http::problems::node_unavailable, "no cache node is known", FlowResult::no_node);
  http::Response response;
  response.status = 307;
  response.headers = {{"Location", choice.node->address->url + contracts::media_target(*link, query)},
                      {"Cache-Control", "no-store"}};
  reply(viewer, std::move(response), FlowResult::ok);
}

/// While it is not known what a former process had listed, links of any age are taken: their signature was checked.
std::optional<std::int64_t> PlaylistRequestFlow::listed_from(const Viewer& viewer) const {
  if (!parts_.listed) return std::nullopt;
  const auto listed = parts_.listed();
  if (!listed) return 0;
  const auto found = listed->find(viewer.channel->id);
  if (found == listed->end()) return std::nullopt;
  return found->second;
}

/// No bytes, for a player that loads what nobody has: a failure would end its playback, and this it passes over.
void PlaylistRequestFlow::answer_gap(Viewer& viewer) {
  viewer.kind = FlowKind::segment;
  http::Response response;
  response.headers = {{"Content-Type", viewer.path.ends_with(".ts") ? "video/mp2t" : "video/mp4"},
                      {"Cache-Control", "no-store"}};
  reply(viewer, std::move(response), FlowResult::ok);
}

RoutingRequest PlaylistRequestFlow::asked_of(const Viewer& viewer) const {
  RoutingRequest asked;
  asked.client = viewer.request().client;
  asked.channel = viewer.channel->id;
  asked.named = viewer.preferred;
  asked.claims = &viewer.claims;
  asked.session = viewer.token.session;
  asked.is_counted = viewer.is_counted;
  asked.pathway = viewer.pathway;
  asked.may_use_origin = viewer.channel->fallback == contracts::Fallback::origin;
  return asked;
}

/// The node that the token names, if it is one of the pathway's.
std::shared_ptr<const NodeAddress> PlaylistRequestFlow::first_node(const Viewer& viewer) const {
  if (viewer.token.first_node == 0) return nullptr;
  const auto nodes = parts_.nodes.table();
  for (const auto& node : nodes->nodes)
    if (contracts::node_mark(node.address->id) == viewer.token.first_node)
      return !node.address->url.empty() && (viewer.pathway.empty() || node.group_id() == viewer.pathway) ? node.address
                                                                                                         : nullptr;
  return nullptr;
}

Routed PlaylistRequestFlow::route(Viewer& viewer) {
  auto asked = asked_of(viewer);
  const bool may_be_pinned = viewer.is_counted && viewer.token.links == contracts::LinksMode::direct;
  auto pinned = may_be_pinned ? parts_.pins.last_node(viewer.token.session, viewer.pathway) : std::string();
  if (may_be_pinned && pinned.empty()) viewer.first = first_node(viewer);
  if (viewer.first) pinned = viewer.first->id;
  asked.pinned = pinned;
  auto routed = parts_.router.route(asked);
  viewer.exchange->note.reason = to_string(routed.choice.reason);
  if (routed.choice.node) viewer.exchange->note.node = routed.choice.node->address->id;
  return routed;
}

void PlaylistRequestFlow::redirect_to_origin(Viewer& viewer, const contracts::Link& link) {
  auto origins = contracts::origin_set(viewer.channel->source, viewer.channel->extra_origins);
  const auto uri = contracts::to_uri(origins, link.path, link.origin_query);
  if (!uri)
    return refuse(viewer, http::problems::node_unavailable, "the channel has no such origin", FlowResult::no_node);
  http::Response response;
  response.status = 307;
  response.headers = {{"Location", uri->text()}, {"Cache-Control", "no-store"}};
  reply(viewer, std::move(response), FlowResult::ok);
}

void PlaylistRequestFlow::refuse(Viewer& viewer, const http::ProblemType& type, std::string_view detail,
                                 FlowResult result) {
  viewer.exchange->note.reason = to_string(result);
  reply(viewer, http::problem(type, detail), result);
}

void PlaylistRequestFlow::reply(Viewer& viewer, http::Response response, FlowResult result) {
  metrics_.count(viewer.kind, result);
  viewer.exchange->reply(std::move(response));
}

PlaylistRequestFlow::PlaylistRequestFlow(PlaylistFlowParts parts, std::size_t workers)
    : parts_(std::move(parts)), metrics_(parts_.metrics), desks_(workers) {}
PlaylistRequestFlow::~PlaylistRequestFlow() = default;

}  // namespace tribune::balancer
