#pragma once
// The interface of a role: a part of the system that a process runs alone or together with other roles. Roles interact
// only through contracts.
//
// Lifetime
//   made        constructed with its settings; no thread runs yet               (app)
//   started     start() returned; its routes are registered                     (app)
//   serving     requests arrive on the workers                                  (workers)
//   draining    drain() was called: the role announces its end and releases delayed responses; requests may still
//               arrive until the listeners close (process.stop_delay)           (app)
//   emptying    close_listeners() was called; requests under way continue       (app)
//   stopped     stop() was called, then the workers' loops ended                (app)

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/result.h"
#include "config/settings.h"
#include "http/router.h"
#include "net/client/http_client.h"
#include "net/event_loop.h"
#include "net/server/exchange.h"

namespace tribune::runtime {

/// One core's share of the process. Owned by its own thread.
struct Worker {
  std::size_t index;
  net::EventLoop& loop;
  net::HttpClient& client;
};

/// Objects that the process provides to every role. Outlives the roles.
struct Services {
  const base::Clock& clock;
  base::Log& log;
  base::Metrics& metrics;
  const std::vector<std::unique_ptr<Worker>>&
      workers;                    // all workers, created before their threads start; used through post() to their loops
  std::string_view version = {};  // of the program
};

/// A handler that also receives the parameters of the route's pattern. Runs on the worker that accepted the connection.
using RouteHandler = std::function<void(Worker&, std::unique_ptr<net::Exchange>, const http::PathParameters&)>;

/// One line of a role's table of routes.
struct Route {
  std::vector<http::Method> methods;
  std::string_view pattern;
  RouteHandler handler;
};

class Role {
 public:
  virtual ~Role() = default;
  virtual std::string_view name() const = 0;

  /// The routes of the front listener, and those of the admin listener. Called once, before the workers run.
  virtual std::vector<Route> front_routes() = 0;
  virtual std::vector<Route> admin_routes() { return {}; }

  /// Opens the resources that the first request needs. On the main thread, before the workers' threads run.
  virtual base::Status start() = 0;

  /// Applies new, validated settings. On failure the old ones must stay in force. On the main thread.
  virtual base::Status reload(const config::Settings&) = 0;

  /// Success, or the reason why the role is not ready. Any thread.
  virtual base::Status ready() const = 0;
  /// Adds the role's members to the object of /status. Any thread.
  virtual void describe(base::json::Writer&) const = 0;

  /// drain() and stop() are called on the main thread while the workers run; stop() after all connections are closed.
  /// The role is destroyed on the main thread after the workers' threads have ended, so its destructor may destroy
  /// objects that a worker owned.
  virtual void drain() {}
  /// Stops accepting at the listeners that the role opened itself, and closes their idle connections. On the main
  /// thread, after process.stop_delay.
  virtual void close_listeners() {}
  /// Whether all connections of those listeners are closed. Any thread.
  virtual bool is_drained() const { return true; }
  virtual void stop() {}
};

/// One line of the table of roles in app/.
struct RoleType {
  std::string_view name;  // also the name of its section
  void (*add_section)(config::Schema&);
  std::unique_ptr<Role> (*make)(const config::Settings&, Services&);
  bool needs_front = true;  // false: it has no routes at the front listener
};

}  // namespace tribune::runtime
