#pragma once
// Dispatches one listener's requests to the routes of all roles. Responds itself to OPTIONS without a handler, to
// unknown paths (404) and to unsupported methods (405).

#include <memory>
#include <string_view>
#include <vector>

#include "http/router.h"
#include "net/server/exchange.h"
#include "runtime/role.h"

namespace tribune::runtime {

/// Immutable after building. Const methods from any thread.
class RequestRouter {
 public:
  /// `for_all_sites`: pages of other sites may send requests, so responses to OPTIONS carry the CORS preflight fields.
  explicit RequestRouter(std::vector<Route> routes, bool for_all_sites = true);

  /// Passes the request to its handler, on the calling worker.
  void dispatch(Worker&, std::unique_ptr<net::Exchange>) const;

  /// The response to a request that matches no route. OPTIONS always gets 204; with `for_all_sites` it allows the
  /// browser to send the actual request and to read its response, including a 404 (Fetch standard, CORS preflight).
  static http::Response unrouted(http::Method, const http::Router::Outcome&, bool for_all_sites = true);

 private:
  std::vector<Route> routes_;
  http::Router router_;
  bool for_all_sites_;
};

}  // namespace tribune::runtime
