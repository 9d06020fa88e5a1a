// Requests of segments that reach the balancer, and of pathway clones: redirects to a node, the origin or another path.

#include "balancer/routing/pathways.h"
#include "balancer/viewer/playlist_request.h"
#include "balancer/viewer/playlist_request_flow.h"
#include "contracts/epoch.h"
#include "contracts/link.h"
#include "contracts/origin_path.h"
#include "http/problem.h"
#include "http/uri.h"

namespace tribune::balancer {
namespace {

/// For which a node accepts the URL of a redirect of a paid channel, at least; at most twice as long.
constexpr std::chrono::seconds kMomentaryLifetime{60};

}  // namespace

void PlaylistRequestFlow::redirect_segment(Viewer& viewer) {
  const auto& view = *viewer.view;
  const auto& query = viewer.request().query;
  const auto verify = [&](std::optional<std::int64_t> listed_from) {
    return contracts::verify_link(*view.keys, viewer.channel->id, viewer.path, query, parts_.clock.wall_now(),
                                  view.event->clock_skew, listed_from);
  };
  auto link = verify(std::nullopt);
  if (!link && link.error().kind == base::ErrorKind::timeout) link = verify(oldest_listed_link(viewer));
  if (!link) {
    const bool expired = link.error().kind == base::ErrorKind::timeout;
    return refuse(viewer, expired ? http::problems::link_expired : http::problems::link_invalid, link.error().text,
                  expired ? FlowResult::link_expired : FlowResult::link_invalid);
  }
  const auto routed = route(viewer);
  const auto& choice = routed.choice;
  if (choice.reason == RoutingReason::origin) return redirect_to_origin(viewer, *link);
  if (!choice.node)
    return refuse(viewer, http::problems::node_unavailable, "no cache node has reported an address",
                  FlowResult::no_node);
  const auto target = target_at_node(viewer, std::move(*link));
  if (target.empty())
    return refuse(viewer, http::problems::internal, "every signing key has expired", FlowResult::no_key);
  redirect(viewer, choice.node->address->url + target);
}

/// The target of a link whose signature is valid. Of a channel whose segments are checked, nodes accept it for a minute
/// or two: the time is rounded, so that all viewers of this time get one URL.
std::string PlaylistRequestFlow::target_at_node(const Viewer& viewer, contracts::Link link) const {
  if (link.use == contracts::LinkUse::anywhere && !viewer.channel->checks_segments())
    return contracts::media_target(link, viewer.request().query);
  const auto now = parts_.clock.wall_now();
  link.use = contracts::LinkUse::momentary;
  link.expires = contracts::link_expiry(now, kMomentaryLifetime);
  const auto query = contracts::signed_query(*viewer.view->keys, link, now);
  return query.empty() ? ""
                       : contracts::media_target(link, query).append(contracts::added_query(viewer.request().query));
}

void PlaylistRequestFlow::redirect_to_origin(Viewer& viewer, const contracts::Link& link) {
  auto origins = contracts::origin_set(viewer.channel->source, viewer.channel->extra_origins);
  origins.backups = viewer.channel->backup_origins;
  const auto of_epoch = contracts::origins_of_epoch(origins, link.epoch);
  const auto uri = contracts::to_uri(of_epoch.value_or(origins), link.path, link.origin_query);
  if (!uri || !of_epoch)
    return refuse(viewer, http::problems::node_unavailable, "the link names an origin that the channel does not have",
                  FlowResult::no_node);
  redirect(viewer, uri->text());
}

/// The oldest expiry, in unix seconds, of a link that is still accepted after its expiry. 0, which accepts every link
/// with a valid signature, while the links that a former process listed are not known.
std::optional<std::int64_t> PlaylistRequestFlow::oldest_listed_link(const Viewer& viewer) const {
  if (!parts_.listed_links) return std::nullopt;
  const auto listed = parts_.listed_links();
  if (!listed) return 0;
  const auto found = listed->find(viewer.channel->id);
  if (found == listed->end()) return std::nullopt;
  return found->second;
}

/// The URL of a clone is that of its base with the clone's name in the query; its own playlist is below the clone's
/// path. Returns whether the response was sent.
bool PlaylistRequestFlow::redirect_to_clone(Viewer& viewer, std::string_view session) {
  const auto named =
      viewer.kind == FlowKind::media ? http::query_value(viewer.request().query, kCloneKey) : std::nullopt;
  if (!named || *named == viewer.pathway || !viewer.channel->steering || !parts_.steering.knows(*named)) return false;
  const auto query = http::query_without(viewer.request().query, [](std::string_view key) { return key == kCloneKey; });
  const auto target =
      "/live/" + viewer.channel->id + "/~" + std::string(session) + "/" + pathway_element(*named) + viewer.path;
  redirect(viewer, http::relative_reference(viewer.request().path, target) + (query.empty() ? "" : "?" + query));
  return true;
}

/// An empty 200 for a player that requests a segment listed as a gap: an error would end its playback, but it
/// continues after an empty segment.
void PlaylistRequestFlow::respond_to_gap(Viewer& viewer) {
  viewer.kind = FlowKind::segment;
  http::Response response;
  response.headers = {{"Content-Type", viewer.path.ends_with(".ts") ? "video/mp2t" : "video/mp4"},
                      {"Cache-Control", "no-store"}};
  reply(viewer, std::move(response), FlowResult::ok);
}

void PlaylistRequestFlow::redirect(Viewer& viewer, std::string location) {
  http::Response response;
  response.status = 307;
  response.headers = {{"Location", std::move(location)}, {"Cache-Control", "no-store"}};
  reply(viewer, std::move(response), FlowResult::ok);
}

}  // namespace tribune::balancer
