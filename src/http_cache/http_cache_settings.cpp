#include "http_cache/http_cache_settings.h"

#include "http_cache/origin_request.h"

namespace tribune::http_cache {
namespace {

std::string check_host(const std::string& text) {
  return is_host_entry(text) ? "" : "a host name or address, with or without a port";
}

std::string check_pass_field(const std::string& name) {
  return may_be_passed(name) ? ""
                             : "the name of a field that is not specific to the connection, not part of the message "
                               "framing, and not written by the cache itself";
}

std::string check_whole(const HttpCacheSettings& settings) {
  if (settings.listen.empty()) return "\"listen\" must have at least one address";
  return settings.max_object_bytes > settings.max_bytes ? "\"max_object_bytes\" must not exceed \"max_bytes\"" : "";
}

constexpr const char* kSection =
    "A plain HTTP cache in front of one origin (RFC 9111), with its own listeners. A process may have only this role. "
    "The limits, trusted_proxies and proxy_protocol of \"front\" apply to its listeners.";

constexpr const char* kPassFields =
    "Request header fields that are forwarded to the origin in addition to those that are always forwarded "
    "(docs/plain_cache.md). Name only fields that do not change the origin's response, or that the origin names in "
    "Vary: otherwise one client could determine what other clients receive.";

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
                 "The hosts that are served; a request for any other host is answered with 421. An entry without a "
                 "port matches every port. Empty: any host. Each host has its own stored responses.",
                 check_host, "host[:port]")
          .texts("pass_fields", &HttpCacheSettings::pass_fields, kPassFields, check_pass_field, "field name")
          .flag("keep_forwarded_for", &HttpCacheSettings::keep_forwarded_for,
                "Keep the X-Forwarded-For that any client sent, and append the address of the client. Otherwise only "
                "the list of a trusted proxy is kept.")
          .bytes("max_bytes", &HttpCacheSettings::max_bytes, {1 << 20, 1ull << 40},
                 "Maximum total size of the stored responses in RAM, including their heads. Above it, responses are "
                 "evicted (SIEVE).")
          .bytes("max_object_bytes", &HttpCacheSettings::max_object_bytes, {1 << 10, 1ull << 32},
                 "Maximum size of a body that is stored. A larger body is passed through and not stored.")
          .bytes("max_filling_bytes", &HttpCacheSettings::max_filling_bytes, {1 << 20, 1ull << 40},
                 "Maximum total size of the bodies that are being received and may be stored. Above it, bodies are "
                 "passed through and not stored.")
          .duration("connect_timeout", &HttpCacheSettings::connect_timeout, {50ms, 30s},
                    "Time for a connection to the origin, including name resolution and TLS.")
          .duration("first_byte_timeout", &HttpCacheSettings::first_byte_timeout, {50ms, 10min},
                    "Time from sending the request to receiving the whole head of the response.")
          .duration("total_timeout", &HttpCacheSettings::total_timeout, {1s, 24h},
                    "Time for one request to the origin in total.")
          .bytes("low_speed_bytes", &HttpCacheSettings::low_speed_bytes, {0, 64ull << 20},
                 "Minimum number of body bytes in a low_speed_window; a request to the origin that receives fewer is "
                 "aborted. 0: no minimum.")
          .duration("low_speed_window", &HttpCacheSettings::low_speed_window, {100ms, 1h},
                    "The time in which low_speed_bytes must arrive.")
          .duration("stall_timeout", &HttpCacheSettings::stall_timeout, {100ms, 1h},
                    "Time for which an origin may send nothing in the middle of a body.")
          .duration("keep_errors", &HttpCacheSettings::keep_errors, {0ms, 1h},
                    "Maximum time for which a response with a status of 500 or above, or of 4xx other than 404, 405, "
                    "410 and 451, serves further requests, regardless of the lifetime that the origin gives it. "
                    "Statuses that are a verdict on one request, such as 400 and 416, serve none. 0: none does.")
          .flag("keep_set_cookie", &HttpCacheSettings::keep_set_cookie,
                "Store a response with Set-Cookie if it states an explicit lifetime, and update the field like any "
                "other. "
                "All clients then receive that cookie. Otherwise such a response is never stored.")
          .duration("heuristic_ceiling", &HttpCacheSettings::heuristic_ceiling, {0ms, 24h * 365},
                    "A response with Last-Modified and without an explicit lifetime is fresh for a tenth of its age, "
                    "but at most for this time (RFC 9111 section 4.2.2). 0: never.")
          .duration("stale_if_error", &HttpCacheSettings::stale_if_error, {0ms, 24h * 30},
                    "Time after the end of its lifetime for which a response may be served when the origin fails, if "
                    "the response does not state this itself and nothing in it forbids it.")
          .check(check_whole);
  return section;
}

}  // namespace tribune::http_cache
