#pragma once
// The workers, the listeners, and the roles whose sections the configuration contains. Opens, reloads and stops them.
//
// Lifetime
//   open       open() returned: ports are bound, threads run, requests arrive   (app)
//   stopping   stop() was called: readiness is false at once                    (app)
//   stopped    stop() returned; nothing runs any more                           (app)

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/published.h"
#include "base/result.h"
#include "config/settings.h"
#include "runtime/access_log.h"
#include "runtime/admin.h"
#include "runtime/loop_watch.h"
#include "runtime/own_site.h"
#include "runtime/process_phase.h"
#include "runtime/process_settings.h"
#include "runtime/request_router.h"
#include "runtime/role.h"
#include "runtime/signals.h"
#include "runtime/worker_thread.h"

namespace tribune::runtime {

/// The dependencies of the server. They outlive it.
struct ServerContext {
  const base::Clock& clock;
  base::Log& log;
  base::Metrics& metrics;
  Signals& signals;
  std::string version;
};

/// The section of the front listener. Other sections define their own names.
inline constexpr const char* kFrontSection = "front";

/// Owned by the main thread.
class Server {
 public:
  /// Settings need the sections front, admin and process. Errors: a role that cannot start, a port that is taken.
  static base::Result<std::unique_ptr<Server>> open(config::Settings, const std::vector<RoleType>&, ServerContext);
  /// Without a call of stop() all connections are cut.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Applies new settings without dropping a connection, or fails and leaves the old ones in force. Changed settings
  /// that need a restart are logged.
  base::Status reload(config::Settings);

  /// Stops gracefully; see process.stop_delay and process.stop_deadline. A second signal makes it return that signal at
  /// once, while threads still run: the process must then exit without running destructors.
  std::optional<int> stop(int signal);

  /// Watches the loops of all workers; valid as long as the server.
  LoopWatch watch_loops();

 private:
  Server(config::Settings, const std::vector<RoleType>&, ServerContext);

  base::Status open_roles();
  base::Status open_listeners();
  base::Status open_listener(const char* name, net::ServerSettings, bool is_front);
  void dispatch(Worker&, std::unique_ptr<net::Exchange>, bool is_front) const;
  void warn_of_restart_needs(const config::Settings& next);
  void apply_server_settings();

  // The steps of stop(), in order. Steps that wait return a second signal, if one arrives.
  std::optional<int> wait_for_delay();
  std::optional<int> wait_for_listeners(bool is_front, std::chrono::steady_clock::time_point deadline);
  bool roles_are_drained() const;
  void cut_what_is_left();
  void stop_roles();
  void end_threads();
  const ProcessSettings& process() const { return settings_.get<ProcessSettings>(process_section().name()); }

  config::Settings settings_;
  const config::Settings opened_;  // the settings at the start
  std::vector<RoleType> types_;
  ServerContext context_;
  ProcessPhase condition_;
  AdminGate gate_;
  base::Published<HostNames> admin_hosts_;
  AccessLog front_log_;
  AccessLog admin_log_;
  std::vector<std::unique_ptr<WorkerThread>> threads_;
  std::vector<std::unique_ptr<Worker>> workers_;  // one per thread: the part of it that roles may use
  Services services_;
  std::vector<std::unique_ptr<Role>> roles_;
  std::vector<Role*> started_;
  std::unique_ptr<RequestRouter> front_router_;
  std::unique_ptr<RequestRouter> admin_router_;
};

}  // namespace tribune::runtime
