#include "balancer/viewer/playlist_request_flow.h"

#include <utility>

#include "balancer/routing/pathways.h"
#include "balancer/sources/source_links.h"
#include "balancer/viewer/playlist_request.h"
#include "balancer/viewer/playlist_response.h"
#include "contracts/link.h"
#include "http/problem.h"
#include "http/uri.h"

namespace tribune::balancer {
namespace {

FlowResult result_of(const PlaylistAnswer& found) { return found.stale ? FlowResult::stale : FlowResult::ok; }

}  // namespace

// ---- the steps of a request, in their order; a step that returns false or null has sent the response ----

void PlaylistRequestFlow::open(runtime::Worker& worker, std::unique_ptr<net::Exchange> exchange,
                               const http::PathParameters& parameters) {
  Viewer viewer{FlowKind::session, std::move(exchange), parts_.view.get(), {}, "index.m3u8"};
  viewer.token.channel = parameters["channel"];
  const auto token = http::query_value(viewer.request().query, "session");
  if (!find_channel(viewer)) return;
  read_client_hints(viewer);
  if (token ? !authenticate(worker, viewer, *token) : !admit(viewer)) return;
  apply_preferred_node(viewer);
  if (token && viewer.is_counted && !viewer.claims.empty()) route(viewer);  // admit() has routed a new session
  look_up_playlist(worker, std::move(viewer));                              // then on_playlist()
}

void PlaylistRequestFlow::within(runtime::Worker& worker, std::unique_ptr<net::Exchange> exchange,
                                 const http::PathParameters& parameters) {
  std::string path(parameters["path"]);
  auto pathway = take_pathway(path);
  const auto kind = kind_of(path, exchange->request().query);
  Viewer viewer{kind, std::move(exchange), parts_.view.get(), {}, std::move(path)};
  viewer.token.channel = parameters["channel"];
  if (!find_channel(viewer)) return;
  if (viewer.path.starts_with(kGapPath)) return respond_to_gap(viewer);
  if (viewer.channel->steering && parts_.steering.knows(pathway)) viewer.pathway = std::move(pathway);
  if (!authenticate(worker, viewer, parameters["session"])) return;
  if (kind == FlowKind::document) {
    viewer.token_text = parameters["session"];
    return look_up_document(worker, std::move(viewer));  // then on_document()
  }
  if (redirect_to_clone(viewer, parameters["session"])) return;
  read_client_hints(viewer);
  if (viewer.ticket && kind == FlowKind::media && !admit_ticket(viewer)) return;
  apply_preferred_node(viewer);
  if (kind == FlowKind::segment) return redirect_segment(viewer);
  look_up_playlist(worker, std::move(viewer));  // then on_playlist()
}

void PlaylistRequestFlow::on_playlist(runtime::Worker& worker, Viewer& viewer, base::Result<PlaylistAnswer> found) {
  if (!found) {
    release_new_session(viewer);
    return refuse(viewer, problem_of(found.error()), detail_for_viewers(found.error()), FlowResult::source_failed);
  }
  viewer.exchange->note.cache = found->stale ? "stale" : found->waited ? "waited" : "hit";
  if (viewer.kind == FlowKind::session) return respond_with_session_playlist(viewer, *found);
  if (found->snapshot->is_multivariant()) return respond_with_multivariant(viewer, *found);
  respond_with_media_playlist(worker, viewer, *found);
}

void PlaylistRequestFlow::respond_with_session_playlist(Viewer& viewer, const PlaylistAnswer& found) {
  auto text = found.snapshot->text_for_bare_url(viewer.token_text);
  if (offers_pathways(viewer))
    text = parts_.steering.playlist(text, "~" + viewer.token_text + "/", viewer.token_text, routing_request(viewer),
                                    viewer.view->steering);
  reply(viewer, session_playlist_reply(std::move(text)), result_of(found));
}

void PlaylistRequestFlow::respond_with_multivariant(Viewer& viewer, const PlaylistAnswer& found) {
  // A ticket may still wait, so its multivariant playlist renews no session.
  if (!viewer.ticket && !renew_for_playlist(viewer, found)) return;
  const auto rendered = found.snapshot->render({});
  if (!offers_pathways(viewer)) return reply_with_playlist(viewer, *rendered, found.stale);
  auto steered =
      parts_.steering.playlist(*rendered->body, "", viewer.token_text, routing_request(viewer), viewer.view->steering);
  reply(viewer, session_playlist_reply(std::move(steered)), result_of(found));
}

void PlaylistRequestFlow::respond_with_media_playlist(runtime::Worker& worker, Viewer& viewer,
                                                      const PlaylistAnswer& found) {
  if (!renew_for_playlist(viewer, found)) return;
  const auto routed = route(viewer);
  const auto snapshot = visible_snapshot(worker, viewer, found, routed.choice);
  if (!snapshot) return;  // suspended until the node fills the segment; on_playlist() runs again
  if (!record_progress(viewer, *snapshot)) return;
  auto rendered = snapshot->render(pin(viewer, routed, *snapshot));
  if (viewer.ticket) rendered = continue_after_slate(viewer, *rendered);
  if (rendered && viewer.is_ending)
    return reply(viewer, session_playlist_reply(ended_text(*rendered->body)), result_of(found));
  if (rendered) reply_with_playlist(viewer, *rendered, found.stale);
}

// ---- parts of several steps ----

FlowKind PlaylistRequestFlow::kind_of(std::string_view path, std::string_view query) {
  if (path.starts_with(kDocumentPath)) return FlowKind::document;
  if (contracts::has_link(query)) return FlowKind::segment;
  return path == kIndexPath ? FlowKind::multivariant : FlowKind::media;
}

bool PlaylistRequestFlow::find_channel(Viewer& viewer) {
  viewer.channel = viewer.view->event->find(viewer.token.channel);
  if (!viewer.channel)
    refuse(viewer, http::problems::channel_unknown, "no channel has this id", FlowResult::channel_unknown);
  return viewer.channel != nullptr;
}

/// A playlist below a pathway offers none: its children would be below two pathways.
bool PlaylistRequestFlow::offers_pathways(const Viewer& viewer) const {
  return viewer.channel->steering && viewer.pathway.empty();
}

void PlaylistRequestFlow::look_up_playlist(runtime::Worker& worker, Viewer viewer) {
  auto& state = workers_[worker.index];
  const auto id = state.next_id++;
  const auto query =
      viewer.transition ? query_after_transition(viewer.request().query, *viewer.transition) : std::string();
  const PlaylistLookup lookup{viewer.channel->id, viewer.path, viewer.transition ? query : viewer.request().query};
  // WHY: a snapshot in memory is delivered inside the call. The viewer then stays in this stack frame, which saves
  // 2,000 instructions compared with an entry among the suspended requests.
  state.in_call = {id, &viewer};
  auto pending =
      parts_.look_up_playlist(worker, lookup, [this, &worker, &state, id](base::Result<PlaylistAnswer> found) {
        if (state.in_call.viewer && state.in_call.id == id)
          return on_playlist(worker, *std::exchange(state.in_call, {}).viewer, std::move(found));
        auto resumed = state.suspended.extract(id);
        if (resumed) on_playlist(worker, resumed.mapped(), std::move(found));
      });
  if (!std::exchange(state.in_call, {}).viewer) return;
  viewer.lookup = std::move(pending);
  suspend(state, id, std::move(viewer));
}

void PlaylistRequestFlow::suspend(WorkerState& state, std::uint64_t id, Viewer viewer) {
  auto& suspended = state.suspended.emplace(id, std::move(viewer)).first->second;
  suspended.exchange->on_gone([this, &state, id] {
    const auto gone = state.suspended.extract(id);
    if (gone) metrics_.count(gone.mapped().kind, FlowResult::gone);
  });
}

void PlaylistRequestFlow::reply_with_playlist(Viewer& viewer, const Rendered& rendered, bool is_stale) {
  auto response = playlist_reply(viewer.request().headers, rendered);
  const auto result = response.status == 304 ? FlowResult::not_modified : is_stale ? FlowResult::stale : FlowResult::ok;
  reply(viewer, std::move(response), result);
}

void PlaylistRequestFlow::refuse(Viewer& viewer, const http::ProblemType& type, std::string_view detail,
                                 FlowResult result) {
  refuse(viewer, http::problem(type, detail), result);
}

void PlaylistRequestFlow::refuse(Viewer& viewer, http::Response response, FlowResult result) {
  viewer.exchange->note.reason = to_string(result);
  reply(viewer, std::move(response), result);
}

void PlaylistRequestFlow::reply(Viewer& viewer, http::Response response, FlowResult result) {
  metrics_.count(viewer.kind, result);
  viewer.exchange->reply(std::move(response));
}

PlaylistRequestFlow::PlaylistRequestFlow(PlaylistFlowParts parts, std::size_t workers)
    : parts_(std::move(parts)), metrics_(parts_.metrics), workers_(workers) {}
PlaylistRequestFlow::~PlaylistRequestFlow() = default;

}  // namespace tribune::balancer
