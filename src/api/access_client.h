#pragma once
// POST /api/v1/access, its end, and reports of sessions, handed on to the balancer, which decides: over HTTP and
// signed, whether it runs in this process or on another machine.

#include <cstdint>
#include <functional>
#include <memory>
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

/// Where the balancer is, and what signs. Immutable.
struct BalancerEndpoint {
  std::string balancer_url;   // asked by this process
  std::string playback_base;  // for playback URLs; empty: paths
  std::shared_ptr<const base::KeyRing> keys;
  std::string operator_token;  // who shows it speaks for accounts; empty: nobody does
};

/// The body of POST /api/v1/access: {"channel", "ticket"?, "cache"?}, and from who shows the operator's token
/// {"account"?, "device"?, "client"?} as well. Errors: invalid_input, or forbidden for an account without the token;
/// fault client.
base::Result<contracts::AccessRequest> access_request(const http::Request&, const BalancerEndpoint&);

/// The body of POST /api/v1/sessions/{session}/reports: {"gone"?, "cache"?, "reachable"?: [{"receipt", "rtt_ms"?}]},
/// one of them at least. Errors: invalid_input, fault client.
base::Result<contracts::AccessRequest> session_report(const http::Request&);

/// Of the first listener of this process, where the balancer is when no other address is configured; empty for a port
/// that is chosen at the start.
std::string own_front_url(const std::vector<std::string>& listen);

/// Any thread; each request stays on its worker. Destroyed after the workers' loops have ended.
class AccessClient {
 public:
  AccessClient(const base::Clock&, base::Log&, base::Metrics&, std::size_t workers);

  void set_road(std::shared_ptr<const BalancerEndpoint> road) { road_.publish(std::move(road)); }

  void open(runtime::Worker&, std::unique_ptr<net::Exchange>);
  /// `pass`: the session or ticket that it is about.
  void report(runtime::Worker&, std::unique_ptr<net::Exchange>, std::string_view pass);
  void stop(runtime::Worker&, std::unique_ptr<net::Exchange>, std::string_view pass);

 private:
  struct Asking {
    std::unique_ptr<net::Exchange> exchange;
    std::unique_ptr<net::Fetch> fetch;
  };
  using Table = std::unordered_map<std::uint64_t, Asking>;

  void ask(runtime::Worker&, std::unique_ptr<net::Exchange>, const contracts::AccessRequest&);
  void answer(net::Exchange&, base::Result<net::WholeAnswer>);

  const base::Clock& clock_;
  base::Log& log_;
  base::Counter asked_, failed_;
  base::Published<BalancerEndpoint> road_{nullptr};
  std::vector<Table> asking_;        // one for each worker, touched by it alone
  std::vector<std::uint64_t> next_;  // likewise
};

}  // namespace tribune::api
