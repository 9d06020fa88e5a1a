#pragma once
// Fetching from origins and peers, on libcurl's multi interface and the worker's loop. What libcurl lets through
// (a cut head, contradictory lengths, a body that is too long) is refused here; response_framing_validator.h has the
// list.

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

/// connect and first_byte run anew for each redirect, total over all.
struct FetchDeadlines {
  std::chrono::milliseconds connect{1'000};  // DNS, TCP and TLS together
  std::chrono::milliseconds first_byte{
      2'000};  // from sending to the whole answer head; also the longest wait for a free connection
  std::chrono::milliseconds low_speed_window{3'000};
  std::uint64_t low_speed_bytes = 1'024;  // fewer body bytes than this in the window ends the fetch; 0: no such limit
  std::chrono::milliseconds total{60'000};
  std::chrono::milliseconds stall{0};  // no byte of the body for so long ends the fetch; 0: no such limit
};

struct FetchRequest {
  http::Method method = http::Method::get;
  std::string other_method = {};  // the word, where `method` is other
  std::string url;
  std::string target = {};  // the request's target as it is sent, where not the URL's own; no redirect takes it over
  http::Headers headers;
  std::string body;
  DestinationPolicy destinations;
  FetchDeadlines deadlines;
  int max_redirects = 0;  // GET and HEAD follow that many; with 0 a redirect is an answer
  /// For other methods than GET and HEAD: being sent twice does no harm, so a kept connection may carry it.
  bool may_repeat = false;
  std::uint64_t max_body_bytes = 64ull << 20;  // after decoding
  bool accept_gzip = false;                    // asks for gzip and decodes it
  /// The body ends where its length says, and what the origin sends beyond is dropped with the connection (RFC 9112
  /// section 6.3). Otherwise such an answer is an error: nobody knows which of the two the origin meant.
  bool drops_surplus = false;
};

struct FetchHead {
  int status = 0;
  http::Headers headers;  // of the final answer
  http::Uri final_uri;
  std::optional<std::uint64_t> content_length;  // of the body as it will arrive: nothing when it is decoded on the way
  bool ends_with_connection = false;  // neither length nor chunks: nobody can tell a cut body from a whole one
};

enum class Flow { go_on, pause };

/// All run on the worker's loop, never inside start(). A handler may destroy its Fetch.
struct FetchHandlers {
  std::function<void(const FetchHead&)> on_head;
  std::function<Flow(std::string_view)> on_body;    // pause: the same bytes come again after resume()
  std::function<void(base::Result<void>)> on_done;  // once; with the whole body seen, or why not
  /// A 1xx head before the answer, without its connection fields' meaning; most callers have no use for it.
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

/// The addresses of a host name, as text. Blocks: it runs on a thread of its own.
using LookUp = std::function<base::Result<std::vector<std::string>>(const std::string& host)>;

struct ClientSettings {
  std::int64_t max_connections = 256;  // transfers at once; more wait their turn
  std::int64_t max_connections_per_origin = 64;
  std::chrono::milliseconds keep_idle{30'000};
  std::chrono::milliseconds max_connection_age{300'000};  // whatever its use
  std::chrono::milliseconds names_fresh{30'000};  // how long the addresses of a name are used without asking again
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

  /// Errors: kind timeout, unavailable, protocol, too_large, forbidden (policy), with fault and may_retry set. A status
  /// of 4xx or 5xx is an answer, not an error. One silent retry only: GET and HEAD on a kept connection that died
  /// before any byte of an answer.
  virtual std::unique_ptr<Fetch> start(FetchRequest, FetchHandlers) = 0;

  /// The whole answer in memory; bounded by max_body_bytes.
  std::unique_ptr<Fetch> get_whole(FetchRequest, std::function<void(base::Result<WholeAnswer>)> on_done);
};

}  // namespace tribune::net
