#pragma once
// The HTTP client for origins and peers, on libcurl's multi interface and the worker's loop. It refuses responses that
// libcurl accepts (a truncated head, contradictory lengths, a body that is too long); response_framing_validator.h has
// the list.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/result.h"
#include "config/section.h"
#include "http/message.h"
#include "http/uri.h"
#include "net/destination_policy.h"
#include "net/event_loop.h"

namespace tribune::net {

/// connect and first_byte start again for each redirect; total includes all redirects.
struct FetchDeadlines {
  std::chrono::milliseconds connect{1'000};  // DNS, TCP and TLS together
  std::chrono::milliseconds first_byte{
      2'000};  // from sending to the whole response head; also the maximum wait for a free connection
  std::chrono::milliseconds low_speed_window{3'000};
  std::uint64_t low_speed_bytes = 1'024;  // fewer body bytes in the window end the fetch; 0: unlimited
  std::chrono::milliseconds total{60'000};
  std::chrono::milliseconds stall{0};  // the fetch ends after this time without a byte of the body; 0: unlimited
};

struct FetchRequest {
  http::Method method = http::Method::get;
  std::string other_method = {};  // when `method` is other
  std::string url;
  std::string target = {};  // sent instead of the URL's own target, but not after a redirect
  http::Headers headers;
  std::string body;
  DestinationPolicy destinations;
  FetchDeadlines deadlines;
  int max_redirects = 0;  // for GET and HEAD; with 0 a redirect is a response
  /// For other methods than GET and HEAD: the request may be sent twice, so that it may use a kept connection.
  bool may_repeat = false;
  std::uint64_t max_body_bytes = 64ull << 20;  // after decoding
  bool accept_gzip = false;                    // requests gzip and decodes it
  /// When the origin sends more than the announced length, the body ends there, and the rest is dropped with the
  /// connection (RFC 9112 section 6.3). Otherwise such a response is an error, because either of the two may be wrong.
  bool drops_surplus = false;
};

struct FetchHead {
  int status = 0;
  http::Headers headers;  // of the final response
  http::Uri final_uri;
  std::optional<std::uint64_t> content_length;  // of the body as delivered; nullopt when it is decoded
  bool ends_with_connection = false;            // neither length nor chunks: a truncated body is not detectable
};

enum class Flow { go_on, pause };

/// All run on the worker's loop, never inside start(). A callback may destroy its Fetch.
struct FetchHandlers {
  std::function<void(const FetchHead&)> on_head;
  std::function<Flow(std::string_view)> on_body;    // pause: the same bytes are delivered again after resume()
  std::function<void(base::Result<void>)> on_done;  // once: the whole body was delivered, or the error
  /// A 1xx head before the response; its connection fields have no meaning here. Optional.
  std::function<void(int status, const http::Headers&)> on_interim = {};
};

/// Owned by one worker. Destroying it cancels.
class Fetch {
 public:
  virtual ~Fetch() = default;
  virtual void resume() = 0;
};

struct WholeAnswer {
  FetchHead head;
  std::string body;
};

/// Returns the addresses of a host name as text. Blocks; runs on its own thread.
using LookUp = std::function<base::Result<std::vector<std::string>>(const std::string& host)>;

struct ClientSettings {
  std::int64_t max_connections = 256;  // concurrent transfers; more are queued
  std::int64_t max_connections_per_origin = 64;
  std::chrono::milliseconds keep_idle{30'000};
  std::chrono::milliseconds max_connection_age{300'000};  // also when it is in use
  std::chrono::milliseconds names_fresh{30'000};  // how long the addresses of a name are used before the next look-up
  std::string ca_file;                            // trusted roots for https; empty: the system's
  LookUp look_up;                                 // empty: the system's resolver
};

const config::Section<ClientSettings>& client_section();

/// Owned by one worker.
class HttpClient {
 public:
  static std::unique_ptr<HttpClient> make(EventLoop&, const base::Clock&, base::Log&, base::Metrics&,
                                          const ClientSettings& = {});
  virtual ~HttpClient() = default;

  /// Errors: kind timeout, refused, unavailable, protocol, too_large, forbidden (policy), with fault and may_retry set.
  /// A status of 4xx or 5xx is a response, not an error. Repeats a request without notice in one case only: GET and
  /// HEAD on a kept connection that ended before any byte of a response.
  virtual std::unique_ptr<Fetch> start(FetchRequest, FetchHandlers) = 0;

  /// Returns the whole response in memory; its body is limited by max_body_bytes.
  std::unique_ptr<Fetch> get_whole(FetchRequest, std::function<void(base::Result<WholeAnswer>)> on_done);
};

}  // namespace tribune::net
