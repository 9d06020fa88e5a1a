#pragma once
// What a role is: a part of the event that a process can run alone or beside others. Roles know each other only through
// contracts.
//
// Lifetime
//   made        constructed with its settings; no thread runs yet               (app)
//   started     start() returned; every worker has mounted it                   (app)
//   serving     requests arrive on the workers                                  (workers)
//   draining    drain() was called: the role says that it leaves, and lets go of what it holds back; requests may still
//               arrive until the listeners close (process.stop_delay)           (app)
//   emptying    close_listeners() was called; what is under way goes on         (app)
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

/// What the house lends to every role. Outlives the roles.
struct Services {
  const base::Clock& clock;
  base::Log& log;
  base::Metrics& metrics;
  const std::vector<std::unique_ptr<Worker>>&
      workers;                    // all of them, before their threads start; post() to their loops
  std::string_view version = {};  // of the program
};

/// A handler that also sees what the route's pattern matched. Runs on the worker that took the connection.
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

  /// The routes on the front door, and those on the admin listener. Called once, before the workers run.
  virtual std::vector<Route> front_routes() = 0;
  virtual std::vector<Route> admin_routes() { return {}; }

  /// Opens what must be open before the first request. On the main thread, before the workers' threads run.
  virtual base::Status start() = 0;

  /// Takes new settings, already checked. Must leave the old ones in force when it fails. On the main thread.
  virtual base::Status reload(const config::Settings&) = 0;

  /// Why the role cannot serve well now, or success. Any thread.
  virtual base::Status ready() const = 0;
  /// Adds the role's members to the object of /status. Any thread.
  virtual void describe(base::json::Writer&) const = 0;

  /// drain() and stop() on the main thread, while the workers run; stop() comes when the last connection is gone. The
  /// role is destroyed on the main thread after the workers' threads have ended, so it may then destroy what was a
  /// worker's.
  virtual void drain() {}
  /// Stops accepting at the listeners that the role opened itself, and closes what is idle there. On the main thread,
  /// once process.stop_delay is over.
  virtual void close_listeners() {}
  /// Whether the last connection of those listeners is gone. Any thread.
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
