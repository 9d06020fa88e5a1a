#include "net/server/http_server.h"

namespace tribune::net {
namespace {

using namespace std::chrono_literals;

const config::Section<ServerLimits>& limits_section() {
  constexpr std::uint64_t kib = 1024, mib = 1024 * kib;
  static const auto section =
      config::Section<ServerLimits>("limits", "Bounds on one client's use of memory, time and connections.")
          .bytes("max_head_bytes", &ServerLimits::max_head_bytes, {1 * kib, 256 * kib},
                 "Request line and fields together; beyond it the answer is 431 at the limit, not after reading all.")
          .bytes("max_target_bytes", &ServerLimits::max_target_bytes, {256, 64 * kib},
                 "The request target; beyond it the answer is 414. CMCD in a query takes up to some KiB.")
          .whole("max_header_fields", &ServerLimits::max_header_fields, {8, 1'000},
                 "Field lines of a head; one more is answered with 431.")
          .bytes("max_body_bytes", &ServerLimits::max_body_bytes, {0, 64 * mib},
                 "A request's body; beyond it the answer is 413, for a Content-Length before the body is read.")
          .duration("head_timeout", &ServerLimits::head_timeout, {100ms, 5min},
                    "The whole head must arrive within this time of its first byte, else 408. A connection that sends "
                    "nothing at "
                    "all is closed after the same time.")
          .duration("body_timeout", &ServerLimits::body_timeout, {100ms, 10min},
                    "The whole body must arrive within this time of its head, else 408.")
          .duration("idle_timeout", &ServerLimits::idle_timeout, {100ms, 1h},
                    "How long a connection may wait between an answer and the next request.")
          .whole(
              "min_send_rate_bps", &ServerLimits::min_send_rate_bps, {0, 1'000'000'000},
              "Bits a second that a client must take while bytes wait for it; a slower one is cut. 0 allows any rate.")
          .duration("min_send_window", &ServerLimits::min_send_window, {100ms, 10min},
                    "The time over which the send rate is measured.")
          .whole("max_send_rate_bps", &ServerLimits::max_send_rate_bps, {0, 100'000'000'000},
                 "Bits a second that one connection is sent at most, so that a fast client cannot take a whole radio "
                 "cell: some times the bandwidth "
                 "of the best variant. The kernel paces the connection from its next answer on. 0: no such bound. A "
                 "channel's pace_factor bounds each variant by "
                 "its own bandwidth; the smaller one counts.")
          .whole("max_connections", &ServerLimits::max_connections, {1, 1'000'000},
                 "Connections of this listener over all workers. When they are taken, the one that is idle longest is "
                 "closed for "
                 "a newcomer; when none is idle, the newcomer gets 503. The descriptors (RLIMIT_NOFILE) bound it too: "
                 "a third of them, up to 4608, is kept for fills and files.")
          .whole("max_connections_per_address", &ServerLimits::max_connections_per_address, {1, 1'000'000},
                 "Connections of one client address, of one /64 for IPv6; one more is answered with 429. Behind "
                 "trusted proxies it "
                 "counts the client that they name.")
          .whole("max_requests_per_connection", &ServerLimits::max_requests_per_connection, {1, 1'000'000'000},
                 "The answer to the last one says Connection: close.")
          .check([](const ServerLimits& limits) -> std::string {
            if (limits.max_send_rate_bps == 0 || limits.max_send_rate_bps >= 2 * limits.min_send_rate_bps) return "";
            return "max_send_rate_bps must be 0 or at least twice min_send_rate_bps, or every client would be cut as "
                   "too slow";
          });
  return section;
}

}  // namespace

const config::Section<ServerSettings>& server_section() {
  static const auto section =
      config::Section<ServerSettings>("server",
                                      "A listener: where it listens, whom it believes, what it allows. "
                                      "Required unless no role of the process serves at it.")
          .texts(
              "listen", &ServerSettings::listen,
              "Addresses with ports; port 0 takes a free one. Every worker listens on each. A change needs a restart.",
              config::check_listen_address, "\"address:port\"")
          .required()
          .sample("[\"0.0.0.0:8080\"]")
          .texts("trusted_proxies", &ServerSettings::trusted_proxies,
                 "Address prefixes of proxies whose X-Forwarded-For, X-Forwarded-Proto and PROXY header are believed. "
                 "From anybody else "
                 "they are ignored.",
                 config::check_prefix, "\"address/bits\"")
          .flag("proxy_protocol", &ServerSettings::proxy_protocol,
                "Connections from trusted proxies must begin with a PROXY header, version 1 or 2.")
          .section("limits", &ServerSettings::limits, limits_section(), "Bounds on one client.");
  return section;
}

}  // namespace tribune::net
