#include <fmt/format.h>

#include <utility>

#include "balancer/routing/pathways.h"
#include "balancer/viewer/playlist_request.h"
#include "balancer/viewer/playlist_request_flow.h"
#include "base/json.h"
#include "http/problem.h"

namespace tribune::balancer {
namespace {

/// The URL prefix of the viewer's session. A page of another site gets an absolute URI: hls.js resolves the URIs of an
/// asset list against the page.
std::string session_prefix(const http::Request& request, std::string_view channel, std::string_view pass,
                           std::string_view pathway) {
  const bool is_foreign_page = request.headers.first("Origin") && !request.host.empty();
  const auto host =
      is_foreign_page ? fmt::format("{}//{}", request.secure ? "https:" : "", request.host) : std::string();
  return base::json::escape(
      fmt::format("{}/live/{}/~{}/{}", host, channel, pass, pathway.empty() ? "" : pathway_element(pathway)));
}

}  // namespace

void PlaylistRequestFlow::look_up_document(runtime::Worker& worker, Viewer viewer) {
  const auto& request = viewer.request();
  const auto name =
      verify_document(*viewer.view->keys, viewer.channel->id, viewer.path, request.query, parts_.clock.wall_now());
  if (!name) return refuse(viewer, http::problems::link_invalid, name.error().text, FlowResult::link_invalid);
  const auto channel = viewer.channel->id;
  const auto query = query_for_origin(name->kind, request.query);
  auto& state = workers_[worker.index];
  const auto id = state.next_id++;
  suspend(state, id, std::move(viewer));
  auto pending =
      parts_.look_up_document(worker, {channel, *name, query}, [this, &state, id](base::Result<DocumentPtr> document) {
        auto resumed = state.suspended.extract(id);
        if (resumed) on_document(resumed.mapped(), std::move(document));
      });
  if (const auto suspended = state.suspended.find(id); suspended != state.suspended.end())
    suspended->second.lookup = std::move(pending);
}

void PlaylistRequestFlow::on_document(Viewer& viewer, base::Result<DocumentPtr> document) {
  if (!document)
    return refuse(viewer, problem_of(document.error()), detail_for_viewers(document.error()),
                  FlowResult::source_failed);
  http::Response response;
  response.headers = {{"Content-Type", std::string((*document)->content_type)},
                      {"Cache-Control", "no-store"},
                      {"X-Content-Type-Options", "nosniff"}};
  response.body =
      (*document)->text(session_prefix(viewer.request(), viewer.channel->id, viewer.token_text, viewer.pathway));
  reply(viewer, std::move(response), FlowResult::ok);
}

}  // namespace tribune::balancer
