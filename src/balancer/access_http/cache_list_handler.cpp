#include "balancer/access_http/cache_list_handler.h"

#include "base/json.h"
#include "http/problem.h"

namespace tribune::balancer {

http::Response CacheListHandler::answer(const contracts::AccessRequest& request, const EventView& view) const {
  const auto* channel = view.event->find(request.channel);
  if (!channel) return http::problem(http::problems::channel_unknown, "no channel has this id");
  RoutingRequest routing_request;
  routing_request.client = request.client;
  routing_request.channel = channel->id;
  const auto list = router_.nodes_to_ping(routing_request);
  base::json::Writer w;
  w.begin_object().key("caches").begin_array();
  std::int64_t order = 0;
  for (const auto* node : list.nodes)
    w.begin_object()
        .member("id", node->address->id)
        .member("url", node->address->url)
        .member("ping_url", node->address->url + "/ping")
        .member("group", node->group_id())
        .member("order", ++order)
        .end_object();
  w.end_array().member("ttl_seconds", std::int64_t{kCacheListLifetime.count()}).end_object();
  http::Response response;
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  response.body = w.take();
  return response;
}

}  // namespace tribune::balancer
