#pragma once
// A handler's view of one request and its answer. It does not know the HTTP version.
//
// Lifetime
//   received    handed to the handler with the whole request body                 (the server)
//   answered    reply() was called; the exchange may be destroyed at once         (the handler)
//   streaming   begin() was called; write() any number of times                   (the handler)
//   finished    finish() was called                                               (the handler)
//   gone        the client left or was too slow; on_gone ran, writes do nothing   (the server)
// Destroyed while received: the client gets a 500 problem. Destroyed while streaming: the connection is cut, so that no
// short body ever looks complete.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.h"

namespace tribune::net {

/// What the access log says of a request beside the protocol. The words are printed as they are.
struct AccessLogNote {
  std::string_view cache;   // "hit", "miss", "waited", "stale" …: a literal
  std::string_view reason;  // why not cached, why refused: a literal
  std::string node;
  std::string session;
};

/// What a handler that passes requests on must know of the way they came.
struct Arrival {
  std::string peer;          // the address of the last hop: the connection's, or whom its PROXY header names
  bool is_trusted = false;   // a trusted proxy: what it says of others is believed
  bool empty_query = false;  // a '?' ends the target
};

/// Owned by one worker: the one that runs the handler.
class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual const http::Request& request() const = 0;

  /// Before the answer.
  virtual Arrival arrival() const { return {request().client}; }

  /// A 1xx head before the answer, where the client's HTTP version knows such heads and its socket has room.
  virtual void interim(int status, const http::Headers& fields) {
    static_cast<void>(status);
    static_cast<void>(fields);
  }

  /// Before the answer: the kernel sends it at so many bits a second at most, or at the listener's max_send_rate_bps
  /// when that is less; never below twice its min_send_rate_bps. 0, and without a call: as the listener says.
  virtual void pace(std::uint64_t bits_per_second) { static_cast<void>(bits_per_second); }

  /// The whole answer. For HEAD the body is measured and not sent. Framing, Date and CORS fields are the server's.
  virtual void reply(http::Response response) = 0;

  /// Begins a streamed answer; without a length it is sent chunked (or to the end of the connection for HTTP/1.0).
  /// `head.body` is the first part, if it is there already: it goes out with the head.
  virtual void begin(http::Response head, std::optional<std::uint64_t> length) = 0;
  /// Queues the next part. File slices are not copied; nor are shared bytes.
  virtual void write(http::Body part) = 0;
  /// Bytes queued and not yet taken by the kernel.
  virtual std::uint64_t unsent() const = 0;
  /// Calls `ready` once, when unsent() has fallen to `low_water` or below.
  virtual void when_drained(std::uint64_t low_water, std::function<void()> ready) = 0;
  virtual void finish() = 0;

  /// Calls `gone` once if the client leaves before the answer is complete. It may destroy the exchange.
  virtual void on_gone(std::function<void()> gone) = 0;

  AccessLogNote note;
  bool keeps_place =
      false;           // set before the answer: its connection is closed for no newcomer while it is idle afterwards
  http::Headers also;  // fields that go with whatever the answer will be: set them before it
};

using Handler = std::function<void(std::unique_ptr<Exchange>)>;

}  // namespace tribune::net
