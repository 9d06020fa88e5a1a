#pragma once
// Where requests go: one listener's routes, gathered from all roles. Answers itself what no handler has to: OPTIONS,
// paths that nobody serves, methods that nobody takes.

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
  /// `for_all_sites`: pages of other sites may ask, so their preflights are answered.
  explicit RequestRouter(std::vector<Route> routes, bool for_all_sites = true);

  /// Gives the request to its handler, on the calling worker.
  void dispatch(Worker&, std::unique_ptr<net::Exchange>) const;

  /// What answers a request that matched no route. OPTIONS is 204 everywhere; `for_all_sites`, a browser lets the real
  /// request through and can read its answer, a 404 included (Fetch standard, CORS preflight).
  static http::Response unrouted(http::Method, const http::Router::Outcome&, bool for_all_sites = true);

 private:
  std::vector<Route> routes_;
  http::Router router_;
  bool for_all_sites_;
};

}  // namespace tribune::runtime
