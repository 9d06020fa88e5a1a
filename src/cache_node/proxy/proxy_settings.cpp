#include "cache_node/proxy/proxy_settings.h"

#include "cache_node/proxy/proxy_question.h"

namespace tribune::cache_node {
namespace {

std::string check_origin_or_empty(const std::string& url) { return url.empty() ? "" : config::check_http_origin(url); }

std::string check_host(const std::string& text) {
  return is_host_entry(text) ? "" : "a host name or address, with or without a port";
}

std::string check_pass_field(const std::string& name) {
  return may_be_passed(name) ? ""
                             : "the name of a field that is not the connection's, the message's framing, or written by "
                               "the cache itself";
}

std::string is_whole(const ProxySettings& settings) {
  if (!settings.listen.empty() && settings.origin.empty()) return "\"origin\" must be given where \"listen\" is";
  if (settings.listen.empty() && !settings.origin.empty()) return "\"listen\" must be given where \"origin\" is";
  return settings.max_object_bytes > settings.max_bytes ? "\"max_object_bytes\" must not exceed \"max_bytes\"" : "";
}

}  // namespace

const config::Section<ProxySettings>& proxy_section() {
  using namespace std::chrono_literals;
  static const auto section =
      config::Section<ProxySettings>("proxy",
                                     "A plain HTTP cache in front of one origin (RFC 9111), with a listener of its "
                                     "own. Limits on clients are those of \"front\".")
          .texts("listen", &ProxySettings::listen,
                 "Addresses of the plain cache. Empty: there is none. Read at the start.", config::check_listen_address,
                 "address:port")
          .text("origin", &ProxySettings::origin, "The origin whose answers are cached. Read at the start.",
                check_origin_or_empty, "http(s)://host[:port]")
          .texts("hosts", &ProxySettings::hosts,
                 "The hosts that are served; a request for another one gets 421. Without a port, each port will do. "
                 "Empty: any host; each has its own stored answers.",
                 check_host, "host[:port]")
          .texts("pass_fields", &ProxySettings::pass_fields,
                 "Fields of requests that go to the origin beside those that always do (docs/plain_cache.md). Name "
                 "only fields that the origin does not "
                 "answer by, or names in Vary: whoever sends them could choose what others get.",
                 check_pass_field, "field name")
          .flag("keep_forwarded_for", &ProxySettings::keep_forwarded_for,
                "Keep what any client sent as X-Forwarded-For, and append its address. Otherwise only the list of a "
                "trusted proxy is kept.")
          .bytes("max_bytes", &ProxySettings::max_bytes, {1 << 20, 1ull << 40},
                 "Bound on what is kept in RAM, heads included; beyond it SIEVE chooses what goes.")
          .bytes("max_object_bytes", &ProxySettings::max_object_bytes, {1 << 10, 1ull << 32},
                 "A larger body is passed through and not kept.")
          .bytes(
              "max_filling_bytes", &ProxySettings::max_filling_bytes, {1 << 20, 1ull << 40},
              "Bound on the bodies that are arriving and may be kept; beyond it they are passed through and not kept.")
          .duration("connect_timeout", &ProxySettings::connect_timeout, {50ms, 30s},
                    "How long a connection to the origin may take, name and TLS included.")
          .duration("first_byte_timeout", &ProxySettings::first_byte_timeout, {50ms, 10min},
                    "From sending the request to the whole answer head.")
          .duration("total_timeout", &ProxySettings::total_timeout, {1s, 24h},
                    "How long one request to the origin may take in all.")
          .bytes("low_speed_bytes", &ProxySettings::low_speed_bytes, {0, 64ull << 20},
                 "Fewer body bytes than this in a low_speed_window end the request to the origin. 0: no such limit.")
          .duration("low_speed_window", &ProxySettings::low_speed_window, {100ms, 1h},
                    "The time in which low_speed_bytes must arrive.")
          .duration("stall_timeout", &ProxySettings::stall_timeout, {100ms, 1h},
                    "How long an origin may send nothing in the middle of a body.")
          .duration("keep_errors", &ProxySettings::keep_errors, {0ms, 1h},
                    "For how long an answer with a status of 500 and above serves further requests, at most, whatever "
                    "lifetime the origin gives it. 0: it does not.")
          .duration("heuristic_ceiling", &ProxySettings::heuristic_ceiling, {0ms, 24h * 365},
                    "An answer with Last-Modified and no lifetime of its own is fresh for a tenth of its age, at most "
                    "this (RFC 9111 section 4.2.2). 0: never.")
          .duration("stale_if_error", &ProxySettings::stale_if_error, {0ms, 24h * 30},
                    "How long past its lifetime an answer may stand in for an origin that fails, where it does not say "
                    "so itself and nothing in it forbids that.")
          .check(is_whole);
  return section;
}

}  // namespace tribune::cache_node
