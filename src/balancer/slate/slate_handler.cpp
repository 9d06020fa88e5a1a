#include "balancer/slate/slate_handler.h"

#include <utility>

#include "balancer/routing/node_selection.h"
#include "contracts/link.h"
#include "contracts/origin_path.h"
#include "http/problem.h"
#include "http/uri.h"

namespace tribune::balancer {
namespace {

constexpr std::string_view kSlateEpoch = "slate";

}  // namespace

contracts::Event with_slate_origin(contracts::Event event, const Slates& slates, const std::string& slate_origin) {
  if (slate_origin.empty()) return event;
  for (auto& channel : event.channels)
    if (slates.find(channel.id)) channel.extra_origins.push_back(slate_origin);
  return event;
}

http::Response SlateHandler::answer(std::string_view channel, std::string_view version, std::string_view path,
                                    const http::Request& request) const {
  const auto* slate = slates_.find(channel);
  const auto in_slot = read_slot_path(path);
  const auto* file = slate && slate->version() == version ? slate->file(in_slot ? in_slot->file : path) : nullptr;
  if (!file) return http::problem(http::problems::not_found, "no waiting room contains this file");
  if (in_slot && !slates_.is_listed(*slate, in_slot->slot))
    return http::problem(http::problems::not_found, "no current playlist lists this slot");
  const auto url = request.query == kSlateBody ? std::string() : url_at_node(channel, request);
  if (url.empty() && in_slot) {
    const auto moved = slate->file_in(in_slot->slot, in_slot->file);
    return moved ? slate_file_reply(request.headers, *moved)
                 : http::problem(http::problems::not_found, moved.error().text);
  }
  if (url.empty()) return slate_file_reply(request.headers, *file);
  http::Response response;
  response.status = 307;
  // 10 s is long enough for a player that repeats the loop to request only the node, and short enough to leave a failed
  // node soon.
  response.headers = {{"Location", url}, {"Cache-Control", "private, max-age=10"}};
  return response;
}

std::string SlateHandler::url_at_node(std::string_view channel, const http::Request& request) const {
  const auto view = view_.get();
  const auto* known = view->event->find(channel);
  if (view->slate_origin.empty() || !known) return "";
  const auto nodes = nodes_.table();
  const auto choice = choose_node(*nodes, {}, {.channel = channel});
  if (!choice.node || !choice.node->is_usable()) return "";
  auto origins = known->extra_origins;
  origins.push_back(view->slate_origin);
  const auto uri = http::parse_uri(view->slate_origin + request.path + "?" + std::string(kSlateBody));
  const auto path = uri ? contracts::to_origin_path(contracts::origin_set(known->source, origins), *uri) : std::nullopt;
  if (!path) return "";
  const auto now = clock_.wall_now();
  const contracts::Link link{known->id, std::string(kSlateEpoch), path->path, path->query,
                             contracts::link_expiry(now, known->link_lifetime)};
  const auto query = contracts::signed_query(*view->keys, link, now);
  return query.empty() ? "" : choice.node->address->url + contracts::media_target(link, query);
}

}  // namespace tribune::balancer
