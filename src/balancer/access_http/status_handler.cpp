#include "balancer/access_http/status_handler.h"

namespace tribune::balancer {

std::vector<runtime::Route> StatusHandler::routes() {
  return {
      {{http::Method::get}, "/status/nodes", [this](auto&, auto exchange, const auto&) { exchange->reply(nodes()); }}};
}

http::Response StatusHandler::nodes() const {
  base::json::Writer w;
  w.begin_object();
  nodes_.describe(w);
  w.end_object();
  http::Response response;
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  response.body = w.take();
  return response;
}

void StatusHandler::describe(base::json::Writer& w) const {
  if (const auto view = view_.get()) {
    w.key("channels").begin_array();
    for (const auto& channel : view->event->channels) {
      w.begin_object()
          .member("id", channel.id)
          .member("title", channel.title)
          .member("links", contracts::to_string(channel.links))
          .member("sessions", std::uint64_t{admission_.sessions(channel.id)})
          .end_object();
    }
    w.end_array();
  }
  w.member("sessions", std::uint64_t{admission_.sessions()})
      .member("pinned_sessions", std::uint64_t{pins_.size()})
      .member("unsaved_pins", pins_.unsaved());
  admission_.describe(w);
}

}  // namespace tribune::balancer
