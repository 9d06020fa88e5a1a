#pragma once
// Forwards requests for access, the end of sessions, lists of caches, and reports of reachability (cache_requests.h) to
// the balancer, which decides. The requests are signed and sent over HTTP, also when the balancer runs in this process.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/published.h"
#include "base/result.h"
#include "base/signing.h"
#include "contracts/access_request.h"
#include "net/server/exchange.h"
#include "runtime/role.h"

namespace tribune::api {

/// The balancer's URLs, and the keys that sign requests to it. Immutable.
struct BalancerEndpoint {
  std::string balancer_url;   // this process sends its requests to it
  std::string playback_base;  // the beginning of playback URLs; empty: they are paths
  std::shared_ptr<const base::KeyRing> keys;
  std::string operator_token;  // requests with it may name an account; empty: no request may
};

/// Parses the body of POST /api/v1/access: {"channel", "ticket"?, "cache"?}, and with the operator's token also
/// {"account"?, "device"?, "client"?, "lane"?}. Errors: invalid_input, or forbidden for these members without the
/// token; fault client.
base::Result<contracts::AccessRequest> access_request(const http::Request&, const BalancerEndpoint&);

/// Any thread; each request stays on its worker. Destroyed after the workers' loops have ended.
class AccessClient {
 public:
  AccessClient(const base::Clock&, base::Log&, base::Metrics&, std::size_t workers);

  void set_road(std::shared_ptr<const BalancerEndpoint> road) { road_.publish(std::move(road)); }

  /// The request of POST /api/v1/access for ask(). nullopt: it was refused.
  std::optional<contracts::AccessRequest> read_open(net::Exchange&) const;
  /// Forwards the request; the exchange gets the balancer's response.
  void ask(runtime::Worker&, std::unique_ptr<net::Exchange>, const contracts::AccessRequest&);
  /// `pass`: the session or ticket of the report.
  void report(runtime::Worker&, std::unique_ptr<net::Exchange>, std::string_view pass);
  void report_pings(runtime::Worker&, std::unique_ptr<net::Exchange>);
  /// The caches that this client should ping for the channel that the query names.
  void list_caches(runtime::Worker&, std::unique_ptr<net::Exchange>);
  void stop(runtime::Worker&, std::unique_ptr<net::Exchange>, std::string_view pass);

 private:
  struct Asking {
    std::unique_ptr<net::Exchange> exchange;
    std::unique_ptr<net::Fetch> fetch;
  };
  using Table = std::unordered_map<std::uint64_t, Asking>;

  void ask_if_valid(runtime::Worker&, std::unique_ptr<net::Exchange>, const base::Result<contracts::AccessRequest>&);
  void answer(net::Exchange&, base::Result<net::WholeAnswer>);

  const base::Clock& clock_;
  base::Log& log_;
  base::Counter asked_, failed_;
  base::Published<BalancerEndpoint> road_{nullptr};
  std::vector<Table> asking_;        // one for each worker, which alone uses it
  std::vector<std::uint64_t> next_;  // the next key of each table
};

}  // namespace tribune::api
