#pragma once
// Writes the responses of one HTTP/1.1 connection: interim heads, heads, bodies, files, chunks, and the rate at which
// the client receives them. Owned by one worker; its owner is HttpConnection. The exchange keeps the order of calls.
//
// States of a response; the phase of the connection corresponds to them
//   none       no part of the response was given                       (begin_exchange)
//   streaming  begin() was called; parts go out as they are given      (begin)
//   sending    the whole response is queued or sent                    (reply, finish)
//   complete   the kernel accepted all of it; the connection is informed  (evhttp's callback, or inside reply)

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "http/message.h"
#include "net/server/persistence.h"
#include "net/server/reject_reason.h"
#include "net/server/response_head.h"
#include "net/server/send_rate_watch.h"

struct evhttp_connection;

namespace tribune::net {

class ConnectionSocket;
class HttpConnection;
class ServerCore;

class ResponseWriter {
 public:
  explicit ResponseWriter(HttpConnection&);
  ResponseWriter(const ResponseWriter&) = delete;
  ResponseWriter& operator=(const ResponseWriter&) = delete;

  /// A request has arrived: the state of the last response is cleared.
  void begin_exchange(base::SteadyTime now);
  /// The response is complete, or the next request begins: files and callbacks are released.
  void end_exchange() { response_ = {}; }
  /// The request was HEAD.
  void omit_body() { response_.has_no_body = true; }
  Persistence& persistence() { return persistence_; }

  // The operations of Exchange. Each except pace() and unsent() may destroy the connection.
  void pace(std::uint64_t bits_per_second) { requested_pace_bps_ = bits_per_second; }
  void interim(int status, const http::Headers&);
  void reply(const http::Response&, http::Body&& body);
  void begin(const http::Response& head, http::Body&& first, std::optional<std::uint64_t> length);
  void write(http::Body&& part);
  void finish();
  std::uint64_t unsent() const;
  void when_drained(std::uint64_t low_water, std::function<void()> ready);

  /// Sends the response to a request that is rejected before it is complete. Only the bytes that the kernel accepts at
  /// once are sent. Legal while no response has begun.
  void send_rejection(RejectReason);
  /// Sets the socket's pacing rate from the limits and from the value of pace(), which is then cleared.
  void apply_pace();

  // For the access log.
  int status() const { return response_.status; }  // 0: no response was given
  base::SteadyTime began() const { return response_.began; }
  /// Bytes of the body that the kernel accepted.
  std::uint64_t body_bytes_sent(bool is_complete) const;
  /// The connection ended: reports the file whose bytes could not be read, if that ended it. Legal while errno is still
  /// that of the failed call.
  void report_unreadable_file() const;

  /// Whether the client has taken fewer bytes than the rate demands. Ends the watch when the response is complete and
  /// all bytes are acknowledged.
  bool is_too_slow(base::SteadyTime now, const SendRate&);
  /// Whether the server must check the send rate.
  bool is_watched() const { return is_watched_; }

 private:
  struct ResponseState {
    int status = 0;
    std::uint64_t body_bytes = 0;  // queued or sent so far
    std::uint64_t left = 0;        // of an announced length
    base::SteadyTime began;        // when the request had arrived
    bool has_length = false;
    bool is_chunked = false;
    bool has_no_body = false;                // HEAD, 204, 304
    std::shared_ptr<const base::File> file;  // the file of the bytes that were queued last
    std::uint64_t low_water = 0;             // of when_drained()
    std::function<void()> on_drained;
  };

  static void on_streamed(evhttp_connection*, void*) noexcept;

  Framing framing_for(int status, std::optional<std::uint64_t> length) const;
  void append_interim_rest();
  void append(http::Body&& body, std::uint64_t skip);
  void append_part(http::Body&&);
  void flush();
  void end_response();
  void watch();

  HttpConnection& connection_;
  ServerCore& server_;
  ConnectionSocket& socket_;
  ResponseState response_;
  Persistence persistence_;
  SendRateWatch rate_watch_;
  std::string interim_rest_;              // the part of an interim head that the kernel did not accept
  std::uint64_t requested_pace_bps_ = 0;  // by pace(), for the next response; 0: none
  std::uint64_t pace_bps_ = 0;            // of the socket; 0: unlimited
  bool is_watched_ = false;
};

}  // namespace tribune::net
