#include "balancer/sources/channel_end_handler.h"

#include "base/json.h"
#include "base/rfc3339.h"
#include "http/problem.h"

namespace tribune::balancer {

ChannelEndHandler::ChannelEndHandler(const base::Clock& clock, base::Log& log, std::function<Sources&()> sources)
    : clock_(clock), log_(log), sources_(std::move(sources)) {}

std::vector<runtime::Route> ChannelEndHandler::routes() {
  return {{{http::Method::post}, "/channels/{id}/end", [this](auto& worker, auto exchange, const auto& parameters) {
             runtime::reply_when_durable(worker.loop, std::move(exchange), [&](const auto&, const auto& on_durable) {
               return end(parameters["id"], on_durable);
             });
           }}};
}

http::Response ChannelEndHandler::end(std::string_view channel, const runtime::OnDurable& on_durable) {
  const auto until = clock_.wall_now() + kEndBelieved;
  if (!sources_().believe_end(channel, until, on_durable))
    return http::problem(http::problems::channel_unknown, "no channel has this id");
  log_.info("balancer", "channel_ended_by_operator", {{"channel", channel}});
  base::json::Writer w;
  w.begin_object().member("channel", channel).member("end_believed_until", base::rfc3339(until)).end_object();
  http::Response response;
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  response.body = w.take();
  return response;
}

}  // namespace tribune::balancer
