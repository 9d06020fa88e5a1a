#include "balancer/nodes/heartbeat_handler.h"

#include <algorithm>

#include "contracts/heartbeat.h"
#include "contracts/signed_body.h"

namespace tribune::balancer {
namespace {

base::Counter heartbeats_counter(base::Metrics& metrics, std::string_view result) {
  return metrics.counter("tribune_balancer_heartbeats_total", "Heartbeats of cache nodes, by result.",
                         {{"result", result}});
}

}  // namespace

HeartbeatHandler::HeartbeatHandler(const base::Clock& clock, base::Log& log, base::Metrics& metrics,
                                   NodeRegistry& nodes, const PublishedView& view,
                                   std::function<std::shared_ptr<const contracts::ListedLinks>()> listed)
    : clock_(clock),
      log_(log),
      nodes_(nodes),
      view_(view),
      listed_(std::move(listed)),
      accepted_(heartbeats_counter(metrics, "accepted")),
      malformed_(heartbeats_counter(metrics, "malformed")),
      forged_(heartbeats_counter(metrics, "forged")),
      unknown_(heartbeats_counter(metrics, "unknown_node")),
      replayed_(heartbeats_counter(metrics, "replayed")) {}

http::Response HeartbeatHandler::answer(std::string_view node, const http::Request& request) {
  const auto view = view_.get();
  const auto now = clock_.wall_now();
  const auto path = contracts::heartbeat_path(node);
  if (request.body.size() > contracts::kMaxHeartbeatBytes)
    return refuse(malformed_, http::problems::body_too_large, node, request, "the body exceeds the maximum size");

  const auto signature = request.headers.first(contracts::kSignatureHeader).value_or("");
  const auto verified =
      contracts::verify_body(*view->keys, "POST " + path, request.body, signature, now, view->event->clock_skew);
  if (!verified) return refuse(forged_, http::problems::forbidden, node, request, verified.error().text);

  const auto heartbeat = contracts::heartbeat_from_json(request.body);
  if (!heartbeat) return refuse(malformed_, http::problems::bad_request, node, request, heartbeat.error().text);
  if (heartbeat->node != node)
    return refuse(malformed_, http::problems::bad_request, node, request,
                  "the node in the heartbeat differs from the node in the path");

  switch (nodes_.record_heartbeat(*heartbeat)) {
    case NodeRegistry::HeartbeatResult::unknown_node:
      return refuse(unknown_, http::problems::forbidden, node, request, "no node with this id is configured");
    case NodeRegistry::HeartbeatResult::replayed:
      return refuse(replayed_, http::problems::forbidden, node, request,
                    "the heartbeat is older than the previous one");
    case NodeRegistry::HeartbeatResult::accepted: break;
  }
  accepted_.add();
  const auto listed = listed_ ? listed_() : nullptr;
  if (numbers_ && heartbeat->listed_numbers) numbers_->take(node, *heartbeat->listed_numbers);
  const auto numbers =
      numbers_ ? contracts::NumbersOfAnswer{numbers_->listed(), numbers_->wants(node)} : contracts::NumbersOfAnswer{};
  const auto body = contracts::heartbeat_answer(view->channel_map, peers_of(*heartbeat),
                                                listed ? std::optional(*listed) : std::nullopt, nodes_.unfit(node),
                                                distrusted_ ? distrusted_() : contracts::DistrustedBackups{}, numbers);
  http::Response response;
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  response.headers.add(contracts::kSignatureHeader, contracts::sign_body(*view->keys, "200 " + path, body, now));
  response.body = body;
  return response;
}

/// The nodes of its group that are up, by id.
std::vector<contracts::Peer> HeartbeatHandler::peers_of(const contracts::Heartbeat& asker) const {
  std::vector<contracts::Peer> peers;
  if (asker.group.empty()) return peers;
  const auto table = nodes_.table();
  for (const auto& node : table->nodes) {
    const auto& url = node.last.peer_url.empty() ? node.address->url : node.last.peer_url;
    if (node.condition == NodeCondition::up && node.last.group == asker.group && !url.empty() &&
        !(is_behind_ && is_behind_(node.address->id)))
      peers.push_back({node.address->id, url});
  }
  std::sort(peers.begin(), peers.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  if (peers.size() > contracts::kMaxPeers) peers.resize(contracts::kMaxPeers);
  return peers;
}

http::Response HeartbeatHandler::refuse(base::Counter& counter, const http::ProblemType& type, std::string_view node,
                                        const http::Request& request, std::string_view why) {
  counter.add();
  log_.warning("balancer", "heartbeat_refused", {{"node", node}, {"client", request.client}, {"reason", why}});
  return http::problem(type, why);
}

}  // namespace tribune::balancer
