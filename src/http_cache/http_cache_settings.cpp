#include "http_cache/http_cache_settings.h"

#include "http_cache/origin_request.h"

namespace tribune::http_cache {
namespace {

std::string check_host(const std::string& text) {
  return is_host_entry(text) ? "" : "a host name or address, with or without a port";
}

std::string check_pass_field(const std::string& name) {
  return may_be_passed(name) ? ""
                             : "the name of a field that is not the connection's, the message's framing, or written by "
                               "the cache itself";
}

std::string check_whole(const HttpCacheSettings& settings) {
  if (settings.listen.empty()) return "\"listen\" must have at least one address";
  return settings.max_object_bytes > settings.max_bytes ? "\"max_object_bytes\" must not exceed \"max_bytes\"" : "";
}

constexpr const char* kSection =
    "A plain HTTP cache in front of one origin (RFC 9111), with listeners of its own. A process may have this role "
    "alone. The limits, trusted_proxies and proxy_protocol of \"front\" apply to its listeners.";

constexpr const char* kPassFields =
    "Request fields that are forwarded to the origin in addition to those that always are (docs/plain_cache.md). Name "
    "only fields that do not change the origin's response, or that it names in Vary: otherwise one client could choose "
    "what others receive.";

}  // namespace

const config::Section<HttpCacheSettings>& http_cache_section() {
  using namespace std::chrono_literals;
  static const auto section =
      config::Section<HttpCacheSettings>("http_cache", kSection)
          .text("id", &HttpCacheSettings::id, "The name of this cache in Via and Cache-Status.", config::check_id,
                "1 to 64 of a-z 0-9 . _ -")
          .texts("listen", &HttpCacheSettings::listen, "Addresses of the cache. Read at the start.",
                 config::check_listen_address, "address:port")
          .required()
          .sample("[\"0.0.0.0:8090\"]")
          .text("origin", &HttpCacheSettings::origin, "The origin whose responses are cached. Read at the start.",
                config::check_http_origin, "http(s)://host[:port]")
          .required()
          .sample("\"http://origin.example.com\"")
          .texts("hosts", &HttpCacheSettings::hosts,
                 "The hosts that are served; a request for another one gets 421. An entry without a port matches every "
                 "port. Empty: any host. Each host has its own stored responses.",
                 check_host, "host[:port]")
          .texts("pass_fields", &HttpCacheSettings::pass_fields, kPassFields, check_pass_field, "field name")
          .flag("keep_forwarded_for", &HttpCacheSettings::keep_forwarded_for,
                "Keep the X-Forwarded-For that any client sent, and append the client's address. Otherwise only the "
                "list of a trusted proxy is kept.")
          .bytes("max_bytes", &HttpCacheSettings::max_bytes, {1 << 20, 1ull << 40},
                 "Bound on the stored responses in RAM, heads included. Above it, responses are evicted (SIEVE).")
          .bytes("max_object_bytes", &HttpCacheSettings::max_object_bytes, {1 << 10, 1ull << 32},
                 "A larger body is passed through and not stored.")
          .bytes("max_filling_bytes", &HttpCacheSettings::max_filling_bytes, {1 << 20, 1ull << 40},
                 "Bound on the bodies that are being received and may be stored. Above it, bodies are passed through "
                 "and not stored.")
          .duration("connect_timeout", &HttpCacheSettings::connect_timeout, {50ms, 30s},
                    "Time for a connection to the origin, including name resolution and TLS.")
          .duration("first_byte_timeout", &HttpCacheSettings::first_byte_timeout, {50ms, 10min},
                    "Time from sending the request to receiving the whole head of the response.")
          .duration("total_timeout", &HttpCacheSettings::total_timeout, {1s, 24h},
                    "Time for one request to the origin in total.")
          .bytes("low_speed_bytes", &HttpCacheSettings::low_speed_bytes, {0, 64ull << 20},
                 "Fewer body bytes than this in a low_speed_window end the request to the origin. 0: no such limit.")
          .duration("low_speed_window", &HttpCacheSettings::low_speed_window, {100ms, 1h},
                    "The time in which low_speed_bytes must arrive.")
          .duration("stall_timeout", &HttpCacheSettings::stall_timeout, {100ms, 1h},
                    "How long an origin may send nothing in the middle of a body.")
          .duration("keep_errors", &HttpCacheSettings::keep_errors, {0ms, 1h},
                    "How long a response with a status of 500 and above serves further requests at most, whatever "
                    "lifetime the origin gives it. 0: not at all.")
          .duration(
              "heuristic_ceiling", &HttpCacheSettings::heuristic_ceiling, {0ms, 24h * 365},
              "A response with Last-Modified and without an explicit lifetime is fresh for a tenth of its age, at "
              "most this long (RFC 9111 section 4.2.2). 0: never.")
          .duration("stale_if_error", &HttpCacheSettings::stale_if_error, {0ms, 24h * 30},
                    "How long after its lifetime a response may be served when the origin fails, if the response does "
                    "not state this itself and nothing in it forbids it.")
          .check(check_whole);
  return section;
}

}  // namespace tribune::http_cache
