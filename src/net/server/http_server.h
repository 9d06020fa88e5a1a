#pragma once
// The HTTP/1.1 server: evhttp behind a strict validator (request_framing_validator.h). Every limit is a named setting.
// There is one server per listener and worker; the workers' sockets share the port (SO_REUSEPORT).

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/result.h"
#include "config/section.h"
#include "net/event_loop.h"
#include "net/server/exchange.h"

namespace tribune::net {

/// Limits on one client's use of memory, time and connections. Documented in http_server_settings.cpp.
struct ServerLimits {
  std::uint64_t max_head_bytes = 16 * 1024;
  std::uint64_t max_target_bytes = 8 * 1024;
  std::int64_t max_header_fields = 100;
  std::uint64_t max_body_bytes = 1024 * 1024;
  std::chrono::milliseconds head_timeout{10'000};
  std::chrono::milliseconds body_timeout{10'000};
  std::chrono::milliseconds idle_timeout{75'000};
  std::int64_t min_send_rate_bps = 64 * 1024;  // bits a second, measured over min_send_window
  std::chrono::milliseconds min_send_window{10'000};
  std::int64_t max_send_rate_bps = 0;  // bits a second of one connection; 0: unlimited
  std::int64_t max_connections = 20'000;
  std::int64_t max_connections_per_address = 1'000;
  std::int64_t max_requests_per_connection = 10'000;
};

struct ServerSettings {
  std::vector<std::string> listen;           // "address:port"; port 0 selects a free port
  std::vector<std::string> trusted_proxies;  // prefixes whose X-Forwarded-For and PROXY header are accepted
  bool proxy_protocol = false;               // a PROXY v1/v2 header is required from trusted proxies
  ServerLimits limits;
};

const config::Section<ServerSettings>& server_section();

/// The URL at which a process reaches its own first listener. Empty without one, and for port 0.
std::string own_front_url(const std::vector<std::string>& listen);

/// One finished request, for the access log and the metrics.
struct AccessRecord {
  const http::Request& request;
  int status;
  std::uint64_t bytes_sent;  // of the body
  std::chrono::nanoseconds duration;
  const AccessLogNote& note;
  bool completed;  // false: the connection ended first
};

struct HttpServerContext {
  EventLoop& loop;
  const base::Clock& clock;
  base::Log& log;
  base::Metrics& metrics;
  std::string listener_name;  // "front", "admin": a metric label
  Handler handler;
  std::function<void(const AccessRecord&)> on_finished;
  bool any_method = false;       // unknown methods are passed to the handler too (http::Method::other)
  bool adds_cors_fields = true;  // false: the handler's CORS fields are sent unchanged
};

/// State that the servers of one listener on all workers share: connection counts per address and in total. Any
/// thread; locks inside.
class ConnectionLimits;
std::shared_ptr<ConnectionLimits> make_connection_limits();

/// Owned by one worker.
class HttpServer {
 public:
  /// Binds and listens on every address. The first worker resolves port 0; bound() returns the ports for the others.
  static base::Result<std::unique_ptr<HttpServer>> open(const ServerSettings&, HttpServerContext,
                                                        std::shared_ptr<ConnectionLimits>);
  virtual ~HttpServer() = default;

  /// "address:port" of each listener, with the real port.
  virtual std::vector<std::string> bound() const = 0;
  /// New limits and proxies for new requests; listening addresses do not change.
  virtual void reconfigure(const ServerSettings&) = 0;
  /// Stops accepting, sends `Connection: close` with every response from now on, and closes idle connections.
  virtual void drain() = 0;
  /// The number of open connections.
  virtual std::size_t connections() const = 0;
  /// Resets all open connections.
  virtual void close_all() = 0;
};

}  // namespace tribune::net
