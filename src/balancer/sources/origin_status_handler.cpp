#include "balancer/sources/origin_status_handler.h"

#include "base/json.h"

namespace tribune::balancer {

std::vector<runtime::Route> OriginStatusHandler::routes() {
  return {{{http::Method::get}, "/status/origins", [this](auto&, auto exchange, const auto&) {
             exchange->reply(origins());
           }}};
}

http::Response OriginStatusHandler::origins() const {
  base::json::Writer w;
  w.begin_object();
  sources_().describe_origins(w);
  w.end_object();
  http::Response response;
  response.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  response.body = w.take();
  return response;
}

}  // namespace tribune::balancer
