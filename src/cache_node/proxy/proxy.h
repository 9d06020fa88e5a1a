#pragma once
// The plain cache: listeners of its own, one store for all workers.
//
// Lifetime
//   made       settings are known, nothing is open              (the role)
//   open       open() bound the ports                           (the main thread, before the workers run)
//   draining   drain(): no new connections                      (the main thread)
//   drained    the last connection is gone: is_drained()        (the workers)
//   destroyed  after the workers' threads have ended            (the main thread)

#include <atomic>
#include <memory>
#include <vector>

#include "base/published.h"
#include "cache_node/proxy/proxy_settings.h"
#include "cache_node/proxy/proxy_store.h"
#include "net/server/connection_limits.h"
#include "net/server/http_server.h"
#include "runtime/access_log.h"
#include "runtime/role.h"

namespace tribune::cache_node {

/// Owned by the main thread; the handlers run on the workers.
class Proxy {
 public:
  Proxy(const ProxySettings&, std::string node_id, runtime::Services&);
  ~Proxy();

  /// Does nothing without addresses. `front`: the limits on clients.
  base::Status open(net::ServerSettings front);
  void reconfigure(const ProxySettings&, net::ServerSettings front);
  void drain();
  /// Forgets so many bytes of what is stored, the least used first. Any thread.
  void shrink(std::uint64_t bytes);
  /// Any thread.
  bool is_drained() const { return undrained_ == 0 && book_->total() == 0; }
  /// Any thread.
  ProxyStore::Totals totals() const { return store_.totals(); }

 private:
  struct Desk;  // one worker's share
  void serve(Desk&, std::unique_ptr<net::Exchange>);
  net::ServerSettings server_settings(net::ServerSettings front) const;

  runtime::Services& services_;
  const std::string node_id_;
  const std::vector<std::string> listen_;
  const std::string origin_;
  base::Published<ProxySettings> settings_;
  ProxyStore store_;
  runtime::AccessLog access_;
  const std::shared_ptr<net::ConnectionLimits> book_ = net::make_connection_book();
  std::atomic<std::size_t> undrained_{0};  // desks that were told to drain and have not yet
  std::vector<std::unique_ptr<Desk>> desks_;
};

}  // namespace tribune::cache_node
