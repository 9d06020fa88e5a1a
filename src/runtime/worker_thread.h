#pragma once
// One worker: an event loop with its thread, an HTTP client, and a server for each listener.
//
// Lifetime
//   made      loop and client exist; posts and timers wait for start()     (main thread)
//   listening open_server() bound the ports                                (main thread)
//   running   start() began the thread, which owns the members             (its own thread)
//   joined    stop() ended it; the main thread owns the members again      (main thread)

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "net/client/http_client.h"
#include "net/event_loop.h"
#include "net/server/http_server.h"

namespace tribune::runtime {

/// Owned by the main thread; each function documents its work on the loop.
class WorkerThread {
 public:
  WorkerThread(const net::ClientSettings&, const base::Clock&, base::Log&, base::Metrics&);
  ~WorkerThread();

  net::EventLoop& loop() { return loop_; }
  net::HttpClient& client() { return *client_; }

  /// Legal before start(). Returns the bound addresses with port 0 resolved. `is_front`: the group of the listener,
  /// front or admin.
  base::Result<std::vector<std::string>> open_server(const net::ServerSettings&, net::HttpServerContext,
                                                     std::shared_ptr<net::ConnectionLimits>, bool is_front);
  void start(std::size_t index);

  /// Applies new limits, on the loop.
  void reconfigure(bool is_front, net::ServerSettings);
  /// Drains the listeners of a group on the loop; `on_empty` runs there once, when all their connections are closed.
  /// Drain one group after the other.
  void drain(bool is_front, std::function<void()> on_empty);
  /// Cuts all connections on the loop, then calls `on_cut` there with the number of front connections that were open.
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
