#pragma once
// One core's share of the house: a loop, a client, and a server for each listener.
//
// Lifetime
//   made      loop and client exist; posts and timers are kept for later   (main thread)
//   listening open_server() bound the ports                                (main thread)
//   running   start() began the thread: all below is the thread's          (its own thread)
//   joined    stop() ended it: all below is the main thread's again        (main thread)

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "net/client/http_client.h"
#include "net/event_loop.h"
#include "net/server/http_server.h"

namespace tribune::runtime {

/// Owned by the main thread; what it does on its loop is said at each function.
class WorkerThread {
 public:
  WorkerThread(const net::ClientSettings&, const base::Clock&, base::Log&, base::Metrics&);
  ~WorkerThread();

  net::EventLoop& loop() { return loop_; }
  net::HttpClient& client() { return *client_; }

  /// Before start(). The addresses that were bound, port 0 resolved. `is_front`: which of the two groups of listeners
  /// it belongs to.
  base::Result<std::vector<std::string>> open_server(const net::ServerSettings&, net::HttpServerContext,
                                                     std::shared_ptr<net::ConnectionLimits>, bool is_front);
  void start(std::size_t index);

  /// New limits, taken on the loop.
  void reconfigure(bool is_front, net::ServerSettings);
  /// Closes the listeners of a group on the loop; `on_empty` runs there once, when their last connection is gone. One
  /// group after the other.
  void drain(bool is_front, std::function<void()> on_empty);
  /// Cuts all connections on the loop, then calls `on_cut` there with how many front connections were left.
  void cut_all(std::function<void(std::size_t)> on_cut);
  /// Ends the thread and closes the servers. Idempotent.
  void stop();

 private:
  struct Server {
    std::unique_ptr<net::HttpServer> server;
    bool is_front;
  };
  std::size_t connections(bool is_front) const;

  net::EventLoop loop_;
  std::unique_ptr<net::HttpClient> client_;
  std::vector<Server> servers_;
  net::Timer empty_watch_;
  std::thread thread_;
};

}  // namespace tribune::runtime
