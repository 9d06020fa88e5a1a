#include "net/server/http_server.h"

namespace tribune::net {
namespace {

using namespace std::chrono_literals;

const config::Section<ServerLimits>& limits_section() {
  constexpr std::uint64_t kib = 1024, mib = 1024 * kib;
  static const auto section =
      config::Section<ServerLimits>("limits", "Limits on the memory, time and connections that one client uses.")
          .bytes("max_head_bytes", &ServerLimits::max_head_bytes, {1 * kib, 256 * kib},
                 "Maximum size of the request line and header fields together. A larger head is answered with 431 as "
                 "soon as it exceeds the limit, without reading the rest.")
          .bytes("max_target_bytes", &ServerLimits::max_target_bytes, {256, 64 * kib},
                 "Maximum length of the request target; a longer one is answered with 414. CMCD in a query takes up to "
                 "several KiB.")
          .whole("max_header_fields", &ServerLimits::max_header_fields, {8, 1'000},
                 "Maximum number of field lines in a request head; one more is answered with 431.")
          .bytes("max_body_bytes", &ServerLimits::max_body_bytes, {0, 64 * mib},
                 "Maximum size of a request body; a larger one is answered with 413. For a Content-Length above the "
                 "limit this happens before the body is read.")
          .duration("head_timeout", &ServerLimits::head_timeout, {100ms, 5min},
                    "Time within which the whole request head must arrive after its first byte; otherwise the request "
                    "is answered with 408. A connection that sends no data at all is closed after the same time.")
          .duration("body_timeout", &ServerLimits::body_timeout, {100ms, 10min},
                    "Time within which the whole request body must arrive after the head; otherwise the request is "
                    "answered with 408.")
          .duration("idle_timeout", &ServerLimits::idle_timeout, {100ms, 1h},
                    "Time for which a connection may be idle between a response and the next request.")
          .whole("min_send_rate_bps", &ServerLimits::min_send_rate_bps, {0, 1'000'000'000},
                 "Minimum rate in bits per second at which a client must receive while data waits to be sent; a slower "
                 "connection is aborted. 0: no minimum.")
          .duration("min_send_window", &ServerLimits::min_send_window, {100ms, 10min},
                    "Time over which the send rate is measured.")
          .whole("max_send_rate_bps", &ServerLimits::max_send_rate_bps, {0, 100'000'000'000},
                 "Maximum send rate of one connection in bits per second, so that a fast client cannot use the whole "
                 "capacity of a radio cell. Set it to several times the bandwidth of the best variant. The kernel "
                 "paces the connection from its next response on. 0: no limit. A channel's pace_factor limits each "
                 "variant by its own bandwidth; the smaller limit applies.")
          .whole("max_connections", &ServerLimits::max_connections, {1, 1'000'000},
                 "Maximum number of connections of this listener over all workers. At the limit, the connection that "
                 "has been idle longest is closed for a new one; when no connection is idle, the new one is answered "
                 "with 503. The limit on file descriptors (RLIMIT_NOFILE) applies as well: a third of them, up to "
                 "4608, is reserved for fills and files.")
          .whole("max_connections_per_address", &ServerLimits::max_connections_per_address, {1, 1'000'000},
                 "Maximum number of connections of one client address (IPv6: one /64); one more is answered with 429. "
                 "Behind trusted proxies, the client address that they report counts.")
          .whole(
              "max_requests_per_connection", &ServerLimits::max_requests_per_connection, {1, 1'000'000'000},
              "Maximum number of requests on one connection; the response to the last one contains Connection: close.")
          .check([](const ServerLimits& limits) -> std::string {
            if (limits.max_send_rate_bps == 0 || limits.max_send_rate_bps >= 2 * limits.min_send_rate_bps) return "";
            return "max_send_rate_bps must be 0 or at least twice min_send_rate_bps; otherwise every connection would "
                   "be aborted as too slow";
          });
  return section;
}

}  // namespace

const config::Section<ServerSettings>& server_section() {
  static const auto section =
      config::Section<ServerSettings>("server",
                                      "The front listener: its addresses, its trusted proxies and its limits. Required "
                                      "unless no role of the process serves requests at it.")
          .texts("listen", &ServerSettings::listen,
                 "Addresses with ports; port 0 selects a free port. Every worker listens on each address. A change "
                 "needs a restart.",
                 config::check_listen_address, "\"address:port\"")
          .required()
          .sample("[\"0.0.0.0:8080\"]")
          .texts("trusted_proxies", &ServerSettings::trusted_proxies,
                 "Address prefixes of proxies whose X-Forwarded-For, X-Forwarded-Proto and PROXY header are trusted. "
                 "From any other address they are ignored.",
                 config::check_prefix, "\"address/bits\"")
          .flag("proxy_protocol", &ServerSettings::proxy_protocol,
                "Require that connections from trusted proxies begin with a PROXY header, version 1 or 2.")
          .section("limits", &ServerSettings::limits, limits_section(), "Limits on one client.");
  return section;
}

std::string own_front_url(const std::vector<std::string>& listen) {
  if (listen.empty()) return "";
  const auto colon = listen.front().rfind(':');
  const auto port = listen.front().substr(colon + 1);
  auto host = listen.front().substr(0, colon);
  if (port == "0") return "";
  if (host == "0.0.0.0") host = "127.0.0.1";
  if (host == "[::]") host = "[::1]";
  return "http://" + host + ":" + port;
}

}  // namespace tribune::net
