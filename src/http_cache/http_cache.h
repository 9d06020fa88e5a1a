#pragma once
// The plain cache: its listeners, and one store and one set of transfers for all workers.
//
// States, and what enters them
//   made       settings are known, nothing is open              (the role)
//   open       open() bound the ports                           (the main thread, before the workers run)
//   draining   drain(): no new connections                      (the main thread)
//   drained    no connection is left: is_drained()              (the workers)
//   destroyed  after the workers' threads have ended            (the main thread)

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/published.h"
#include "http_cache/http_cache_settings.h"
#include "http_cache/origin_fetch.h"
#include "net/server/connection_limits.h"
#include "net/server/http_server.h"
#include "runtime/access_log.h"
#include "runtime/role.h"

namespace tribune::http_cache {

/// Owned by the main thread; the handlers run on the workers.
class HttpCache {
 public:
  HttpCache(const HttpCacheSettings&, std::shared_ptr<SharedState>, runtime::Services&);
  ~HttpCache();

  /// `front`: its limits and trusted proxies apply to these listeners, too.
  base::Status open(net::ServerSettings front);
  void reconfigure(const HttpCacheSettings&, net::ServerSettings front);
  void drain();
  /// Any thread.
  bool is_drained() const { return undrained_ == 0 && connections_->total() == 0; }

 private:
  struct WorkerShare;  // state of one worker
  void serve(WorkerShare&, std::unique_ptr<net::Exchange>);
  void fetch(WorkerShare&, FetchOrder, std::shared_ptr<OriginTransfer>);
  net::ServerSettings server_settings(net::ServerSettings front) const;

  runtime::Services& services_;
  const std::vector<std::string> listen_;
  const std::string origin_;
  base::Published<HttpCacheSettings> settings_;
  const std::shared_ptr<SharedState> state_;
  runtime::AccessLog access_;
  const std::shared_ptr<net::ConnectionLimits> connections_ = net::make_connection_limits();
  std::atomic<std::size_t> undrained_{0};  // workers that have not run their drain yet
  std::vector<std::unique_ptr<WorkerShare>> shares_;
};

}  // namespace tribune::http_cache
