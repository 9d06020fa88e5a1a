#include "runtime/process_settings.h"

#include <sched.h>

#include <algorithm>
#include <thread>

namespace tribune::runtime {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kLeastTokenBytes = 16;
constexpr std::int64_t kAdminConnections = 256;
constexpr std::uint64_t kAdminBodyBytes = 8U << 20;  // a catalogue of the shop (shop::kMaxImportBytes)

std::string token_rule(const AdminSettings& admin) {
  if (!admin.token.empty()) return "";
  for (const auto& address : admin.listen)
    if (!is_loopback(address))
      return "listens on " + address +
             "; other machines can reach this address: set admin.token to a secret, or listen on 127.0.0.1 or [::1]";
  return "";
}

std::string host_name_rule(const std::string& name) {
  constexpr std::size_t kLongest = 253;  // RFC 1035 section 2.3.4
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  };
  if (!name.empty() && name.size() <= kLongest && std::all_of(name.begin(), name.end(), is_allowed)) return "";
  return "a host name of letters, digits, dots and hyphens, without a port";
}

}  // namespace

const config::Section<ProcessSettings>& process_section() {
  static const auto section =
      config::Section<ProcessSettings>("process", "The process: its worker threads and its shutdown.")
          .whole("workers", &ProcessSettings::workers, {0, 256},
                 "Number of worker threads, each with its own event loop and its own listening sockets. 0: one for "
                 "each core that the process may use. A change needs a restart.")
          .duration("stop_delay", &ProcessSettings::stop_delay, {0ms, 10min},
                    "Time after SIGTERM during which the listeners stay open while /readyz already reports that the "
                    "process is not ready, so that load balancers can detect this and send no further clients.")
          .duration("stop_deadline", &ProcessSettings::stop_deadline, {0ms, 1h},
                    "Time for requests in progress to finish after the listeners are closed; requests still in "
                    "progress after it are aborted.");
  return section;
}

const config::Section<AdminSettings>& admin_section() {
  static const auto section =
      config::Section<AdminSettings>("admin", "The admin listener: /healthz, /readyz, /metrics and /status.")
          .texts(
              "listen", &AdminSettings::listen,
              "Addresses to listen on. A change needs a restart. Without a token, only loopback addresses are allowed.",
              config::check_listen_address, "\"address:port\"; port 0 selects a free port")
          .text("token", &AdminSettings::token,
                "When it is set, every request must contain `Authorization: Bearer TOKEN`. Required when other "
                "machines can reach the listener.",
                operator_token_rule, "at least 16 visible ASCII characters")
          .texts(
              "names", &AdminSettings::names,
              "Host names at which operators reach the listener. The addresses of the listener, loopback addresses and "
              "localhost are always accepted. A request with any other Host is answered with 421, because a page in an "
              "operator's browser can make a host name of its own resolve to this listener (DNS rebinding).",
              host_name_rule, "host names without a port")
          .check(token_rule);
  return section;
}

const config::Section<base::LogSettings>& log_section() {
  using base::LogFormat;
  using base::LogLevel;
  using base::LogSettings;
  static const auto section =
      config::Section<LogSettings>(
          "log",
          "The log: one line for each event. The command line options --log-level and --log-format take precedence.")
          .choice<LogLevel>("level", &LogSettings::level,
                            {{"debug", LogLevel::debug},
                             {"info", LogLevel::info},
                             {"warning", LogLevel::warning},
                             {"error", LogLevel::error},
                             {"off", LogLevel::off}},
                            "The lowest level that is logged. The line for each request has level info.")
          .choice<LogFormat>("format", &LogSettings::format, {{"text", LogFormat::text}, {"json", LogFormat::json}},
                             "Format of the log: human-readable text, or one JSON object per line.")
          .text("file", &LogSettings::file,
                "File to which the log is written; empty: standard output. The file is reopened on SIGHUP, for log "
                "rotation.")
          .flag("access", &LogSettings::access, "Write a log line for each request.");
  return section;
}

net::ServerSettings admin_server(const AdminSettings& admin) {
  net::ServerSettings server;
  server.listen = admin.listen;
  server.limits.max_connections = kAdminConnections;
  server.limits.max_connections_per_address = kAdminConnections;
  server.limits.max_body_bytes = kAdminBodyBytes;
  return server;
}

std::string operator_token_rule(const std::string& text) {
  const bool printable = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (text.empty() || (text.size() >= kLeastTokenBytes && printable)) return "";
  return "at least 16 visible ASCII characters without spaces";
}

bool is_loopback(std::string_view listen_address) {
  return listen_address.starts_with("127.") || listen_address.starts_with("[::1]:");
}

std::size_t worker_count(const ProcessSettings& process) {
  if (process.workers > 0) return static_cast<std::size_t>(process.workers);
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (::sched_getaffinity(0, sizeof cores, &cores) == 0 && CPU_COUNT(&cores) > 0)
    return static_cast<std::size_t>(CPU_COUNT(&cores));
  return std::max(1u, std::thread::hardware_concurrency());
}

}  // namespace tribune::runtime
