#pragma once
// A handler's view of one exchange: a request and its response. It does not depend on the HTTP version.
//
// States
//   received    passed to the handler with the whole request body                          (the server)
//   answered    reply() was called; the exchange may be destroyed at once                  (the handler)
//   streaming   begin() was called; write() any number of times                            (the handler)
//   finished    finish() was called                                                        (the handler)
//   gone        the client closed the connection or was too slow; on_gone ran, and writes have no effect (the server)
// Destroyed while received: the client gets a 500 problem. Destroyed while streaming: the connection is reset, so that
// no truncated body looks complete.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.h"

namespace tribune::net {

/// Values that a handler adds to the access log of its request. They are printed unchanged.
struct AccessLogNote {
  std::string_view cache;   // "hit", "miss", "waited", "stale" …: a literal
  std::string_view reason;  // why it was not cached, why it was rejected: a literal
  std::string node;
  std::string session;
};

/// How a request arrived, for handlers that forward requests.
struct Arrival {
  std::string peer;          // the address of the last hop: the connection's, or the one that its PROXY header names
  bool is_trusted = false;   // the peer is a trusted proxy: its statements about other hops are accepted
  bool empty_query = false;  // the target ends in '?'
};

/// Owned by one worker: the one that runs the handler.
class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual const http::Request& request() const = 0;

  /// Legal before the response.
  virtual Arrival arrival() const { return {request().client}; }

  /// Sends a 1xx head before the response, if the client's HTTP version has such heads and the socket accepts bytes at
  /// once.
  virtual void interim(int status, const http::Headers& fields) {
    static_cast<void>(status);
    static_cast<void>(fields);
  }

  /// Legal before the response: limits the rate at which the kernel sends it, in bits a second. The limit is at most
  /// the listener's max_send_rate_bps and at least twice its min_send_rate_bps. 0, and without a call: the listener's
  /// limit.
  virtual void pace(std::uint64_t bits_per_second) { static_cast<void>(bits_per_second); }

  /// The whole response. For HEAD the body is measured and not sent. The server adds framing, Date and CORS fields.
  virtual void reply(http::Response response) = 0;

  /// Begins a streamed response. Without a length it is chunked, or for HTTP/1.0 ends with the connection. `head.body`
  /// is the first part, if there is one already: it is sent with the head.
  virtual void begin(http::Response head, std::optional<std::uint64_t> length) = 0;
  /// Queues the next part. File slices and shared bytes are not copied.
  virtual void write(http::Body part) = 0;
  /// Bytes that are queued and that the kernel has not accepted.
  virtual std::uint64_t unsent() const = 0;
  /// Calls `ready` once, when unsent() has fallen to `low_water` or below.
  virtual void when_drained(std::uint64_t low_water, std::function<void()> ready) = 0;
  virtual void finish() = 0;

  /// Calls `gone` once if the connection ends before the response is complete. It may destroy the exchange.
  virtual void on_gone(std::function<void()> gone) = 0;

  AccessLogNote note;
  /// Set before the response: while its connection is idle afterwards, it is not closed for a new connection.
  bool keeps_place = false;
  /// Fields that are added to the response, whatever its status. Set before the response.
  http::Headers also;
};

using Handler = std::function<void(std::unique_ptr<Exchange>)>;

}  // namespace tribune::net
