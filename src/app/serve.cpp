#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "app/commands.h"
#include "app/roles.h"
#include "app/schema.h"
#include "app/version.h"
#include "base/memory.h"
#include "runtime/memory_monitor.h"
#include "runtime/process_metrics.h"
#include "runtime/server.h"
#include "runtime/supervisor.h"

namespace tribune::app {
namespace {

constexpr std::string_view kComponent = "app";
constexpr int kCannotStart = 1;

int cannot_start(std::string_view why) {
  std::fprintf(stderr, "tribune: cannot start: %.*s\n", static_cast<int>(why.size()), why.data());
  return kCannotStart;
}

base::LogSettings log_settings(const config::Settings& settings, const ServeOptions& options) {
  auto log = settings.get<base::LogSettings>(runtime::log_section().name());
  if (options.log_format) log.format = *options.log_format;
  if (options.log_level) log.level = *options.log_level;
  return log;
}

/// Handles SIGHUP: applies the whole configuration file, or nothing of it. In both cases it reopens the log file, so
/// that log rotation works with an invalid configuration too. Owned by the main thread.
class Reloader {
 public:
  /// `log_in_force`: the settings with which `log` was created.
  Reloader(const ServeOptions& options, runtime::Server& server, base::Log& log, base::LogSettings log_in_force,
           base::Metrics& metrics)
      : options_(options),
        server_(server),
        log_(log),
        log_in_force_(std::move(log_in_force)),
        taken_(counter(metrics, "ok")),
        refused_(counter(metrics, "refused")) {}

  void reload() {
    const auto config = read_config(options_.config_file);
    if (!config) return refuse(config.error().text + "\n");
    auto settings = settings_of(*config);
    if (!settings) return refuse(settings.error());
    const auto log = log_settings(*settings, options_);
    if (const auto taken = server_.reload(std::move(*settings)); !taken)
      return refuse(options_.config_file + ": " + taken.error().text + "\n");
    log_.reconfigure(log);
    log_in_force_ = log;
    taken_.add();
    log_.info(kComponent, "reloaded", {{"file", options_.config_file}});
  }

 private:
  static base::Counter counter(base::Metrics& metrics, std::string_view result) {
    return metrics.counter("tribune_config_reloads_total", "Reloads of the configuration file on SIGHUP, by result.",
                           {{"result", result}});
  }

  /// Logs each line of `problems`. The settings in force do not change.
  void refuse(std::string_view problems) {
    refused_.add();
    log_.reconfigure(log_in_force_);
    while (!problems.empty()) {
      const auto end = problems.find('\n');
      log_.error(kComponent, "reload_refused", {{"problem", problems.substr(0, end)}});
      problems.remove_prefix(end == std::string_view::npos ? problems.size() : end + 1);
    }
  }

  const ServeOptions& options_;
  runtime::Server& server_;
  base::Log& log_;
  base::LogSettings log_in_force_;
  base::Counter taken_;
  base::Counter refused_;
};

/// Notifies the supervisor's watchdog as long as all event loops run. Owned by the main thread.
class Watchdog {
 public:
  Watchdog(runtime::Supervisor& supervisor, runtime::Server& server)
      : supervisor_(supervisor), period_(supervisor.watchdog_period()), loops_(server.watch_loops()) {}

  /// Sends a notification when it is due. Returns the time until the next one; nullopt without a watchdog.
  std::optional<std::chrono::milliseconds> answer_when_due() {
    if (!period_) return std::nullopt;
    const auto now = std::chrono::steady_clock::now();
    if (now >= due_) {
      if (loops_.all_answered()) supervisor_.is_alive();
      due_ = now + *period_;
    }
    return std::chrono::ceil<std::chrono::milliseconds>(due_ - now);
  }

 private:
  runtime::Supervisor& supervisor_;
  const std::optional<std::chrono::milliseconds> period_;
  runtime::LoopWatch loops_;
  std::chrono::steady_clock::time_point due_ = std::chrono::steady_clock::now();
};

int run_until_stopped(runtime::Signals& signals, runtime::Server& server, Reloader& reloader,
                      runtime::Supervisor& supervisor, base::Log& log) {
  using Signal = runtime::Signals::Kind;
  Watchdog watchdog(supervisor, server);
  supervisor.ready();
  while (true) {
    const auto event = signals.wait(watchdog.answer_when_due());
    if (event.kind == Signal::reload) {
      supervisor.reloading();
      reloader.reload();
      supervisor.ready();
    }
    if (event.kind == Signal::unused) log.warning(kComponent, "signal_unused", {{"signal", event.signal}});
    if (event.kind != Signal::stop) continue;
    supervisor.stopping();
    const auto second = server.stop(event.signal);
    if (!second) return 0;
    // Threads still run, so no destructors may run.
    std::fprintf(stderr, "tribune: terminated immediately by a second signal %d\n", *second);
    std::_Exit(128 + *second);
  }
}

}  // namespace

int serve(const ServeOptions& options) {
  runtime::Signals signals;  // before the first thread, so that all threads block these signals
  runtime::ignore_broken_pipes();
  runtime::raise_descriptor_limit();
  base::Memory::of_process().take_over();

  const auto config = read_config(options.config_file);
  if (!config) return cannot_start(config.error().text);
  auto settings = settings_of(*config);
  if (!settings) {
    std::fputs(settings.error().c_str(), stderr);
    return kCannotStart;
  }
  const auto settings_of_log = log_settings(*settings, options);
  base::Log log(settings_of_log);
  base::Metrics metrics;
  const base::SystemClock clock;
  runtime::add_process_metrics(metrics, clock, log, version());

  const runtime::MemoryMonitor memory_monitor(log, metrics);
  auto server =
      runtime::Server::open(std::move(*settings), role_types(), {clock, log, metrics, signals, std::string(version())});
  if (!server) return cannot_start(server.error().text);
  Reloader reloader(options, **server, log, settings_of_log, metrics);
  log.info(kComponent, "ready", {{"version", version()}, {"config", options.config_file}});
  runtime::Supervisor supervisor;
  return run_until_stopped(signals, **server, reloader, supervisor, log);
}

}  // namespace tribune::app
