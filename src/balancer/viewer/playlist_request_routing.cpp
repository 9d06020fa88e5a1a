// The node of a request: its choice, the snapshot that the node's viewers see, and the pins of the rendered links.

#include <algorithm>
#include <utility>

#include "balancer/sessions/player_capabilities.h"
#include "balancer/viewer/playlist_request.h"
#include "balancer/viewer/playlist_request_flow.h"

namespace tribune::balancer {

RoutingRequest PlaylistRequestFlow::routing_request(const Viewer& viewer) const {
  RoutingRequest request;
  request.client = viewer.request().client;
  request.channel = viewer.channel->id;
  request.named = viewer.preferred;
  request.claims = &viewer.claims;
  request.session = viewer.token.session;
  request.is_counted = viewer.is_counted;
  request.pathway = viewer.pathway;
  request.may_use_origin = parts_.router.may_use_origin(*viewer.channel);
  return request;
}

Routed PlaylistRequestFlow::route(Viewer& viewer) {
  auto request = routing_request(viewer);
  const bool may_be_pinned = viewer.is_counted && viewer.token.links == contracts::LinksMode::direct;
  auto pinned = may_be_pinned ? parts_.pins.last_node(viewer.token.session, viewer.pathway) : std::string();
  if (may_be_pinned && pinned.empty()) viewer.first = node_of_token(viewer);
  if (viewer.first) pinned = viewer.first->id;
  request.pinned = pinned;
  auto routed = parts_.router.route(request);
  viewer.exchange->note.reason = to_string(routed.choice.reason);
  if (routed.choice.node) viewer.exchange->note.node = routed.choice.node->address->id;
  return routed;
}

/// The node that the token names, if it belongs to the request's pathway.
std::shared_ptr<const NodeAddress> PlaylistRequestFlow::node_of_token(const Viewer& viewer) const {
  if (viewer.token.first_node == 0) return nullptr;
  const auto nodes = parts_.nodes.table();
  for (const auto& node : nodes->nodes)
    if (contracts::node_mark(node.address->id) == viewer.token.first_node)
      return !node.address->url.empty() && (viewer.pathway.empty() || node.group_id() == viewer.pathway) ? node.address
                                                                                                         : nullptr;
  return nullptr;
}

/// The newest snapshot that the viewers of the chosen node see: a snapshot is held from them until the node fills its
/// new segments. Null when this viewer's blocking reload waits for such a segment: the request is suspended, and
/// on_playlist() runs again when the hold ends.
SnapshotPtr PlaylistRequestFlow::visible_snapshot(runtime::Worker& worker, Viewer& viewer, const PlaylistAnswer& found,
                                                  const RoutingChoice& choice) {
  if (!found.publication) return found.snapshot;
  const auto node = choice.node ? std::string_view(choice.node->address->id) : std::string_view();
  if (choice.node) found.publication->followers.seen(node, parts_.clock.steady_now());
  auto& hold = found.publication->hold;
  auto snapshot = hold.visible(found.snapshot, node, viewer.token.session);
  if (!found.want || snapshot->lists(*found.want)) return snapshot;
  auto& state = workers_[worker.index];
  const auto id = state.next_id++;
  auto later = found;
  later.waited = true;
  const bool waits = hold.wait(node, viewer.token.session, [this, &worker, &state, id, later = std::move(later)] {
    worker.loop.post([this, &worker, &state, id, later] {
      auto resumed = state.suspended.extract(id);
      if (resumed) on_playlist(worker, resumed.mapped(), later);
    });
  });
  if (!waits) return hold.visible(found.snapshot, node, viewer.token.session);  // the hold has just ended
  suspend(state, id, std::move(viewer));
  return nullptr;
}

/// How long a player that sends no further request may use what the playlist lists: an origin keeps a segment for its
/// duration plus the duration of the longest playlist that listed it (RFC 8216 section 6.2.2).
std::chrono::milliseconds PlaylistRequestFlow::usable_for(const SourceSnapshot& snapshot) {
  constexpr std::int64_t kMaxSegments = 1'000'000;
  return 2 * std::clamp<std::int64_t>(snapshot.next_msn() - snapshot.first_msn(), 0, kMaxSegments) *
         snapshot.target_duration();
}

LinkPins PlaylistRequestFlow::pin(Viewer& viewer, const Routed& routed, const SourceSnapshot& snapshot) {
  const auto& choice = routed.choice;
  if (viewer.token.links == contracts::LinksMode::redirect) return {};
  if (!choice.node) return {};  // redirect links: the node is chosen when the segment is requested
  if (!viewer.is_counted) return {{0, choice.node->address->url}};
  // In the automatic mode the session got direct links because its player accepts a rewritten link.
  const bool was_chosen_by_player = viewer.channel->links == contracts::LinksMode::automatic;
  const bool may_rewrite = was_chosen_by_player || accepts_rewriting(viewer.player(), viewer.view->direct_players);
  return parts_.pins.pin(viewer.token.session, {snapshot.first_msn(), snapshot.next_msn(), usable_for(snapshot)},
                         *routed.nodes, choice.node->address, may_rewrite, viewer.pathway, viewer.first);
}

}  // namespace tribune::balancer
