#include "cache_node/balancer_link/ping_handler.h"

#include "base/json.h"
#include "contracts/receipt.h"

namespace tribune::cache_node {

runtime::Route PingHandler::route() const {
  return {{http::Method::get}, "/ping", [this](auto&, auto exchange, const auto&) {
            exchange->reply(answer(exchange->request()));
          }};
}

http::Response PingHandler::answer(const http::Request& request) const {
  const auto view = view_.get();
  const auto& node = view->settings.id;
  const auto now = clock_.wall_now();
  const contracts::Receipt receipt{node, contracts::client_prefix(request.client).value_or(""),
                                   base::unix_seconds(now)};
  base::json::Writer w;
  w.begin_object()
      .member("node", node)
      .member("receipt", contracts::write_receipt(*view->keys, receipt, now))
      .end_object();
  http::Response response;
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  response.body = w.take();
  return response;
}

}  // namespace tribune::cache_node
