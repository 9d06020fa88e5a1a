#pragma once
// One client's connection: its lifetime, its phase with the deadline of that phase, and the exchange (a request and its
// response) under way. It owns the socket, the identity of the client, the request reader and the response writer.
// Owned by one worker; its owner is ServerCore, from evhttp's accept until evhttp's close callback.
//
// Phases (and the function or class that sets them)
//   fresh       accepted; no byte of a request has arrived, possibly a part of a PROXY header    (constructor)
//   idle        between a response and the next request; may be closed for a new connection      (complete_exchange)
//   head, body  a part of a message has arrived; its deadline runs                               (RequestReader)
//   handling    the handler has the request and has not responded                                (begin_exchange)
//   streaming   the head of a streamed response was given; parts go out as the handler writes    (ResponseWriter)
//   sending     the whole response is queued, the kernel has not accepted all of it              (ResponseWriter)
//   lingering   FIN was sent; further bytes of the client are dropped                            (linger)

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <new>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/memory.h"
#include "http/message.h"
#include "net/server/client_identity.h"
#include "net/server/connection_socket.h"
#include "net/server/destruction_guard.h"
#include "net/server/exchange.h"
#include "net/server/request_reader.h"
#include "net/server/response_writer.h"

struct evhttp_connection;
struct evhttp_request;

namespace tribune::net {

class HttpExchange;
class ServerCore;

enum class ConnectionPhase : std::uint8_t { fresh, idle, head, body, handling, streaming, sending, lingering, count_ };

class HttpConnection {
 public:
  /// Before evhttp knows the socket; adopt() follows in the same iteration of the loop.
  HttpConnection(ServerCore&, bufferevent*);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  /// Takes the peer's address from evhttp and begins to read; false when evhttp has already closed the connection.
  bool adopt();
  /// Counts the connection for its client, or rejects it. It is not destroyed on return.
  void admit(bool is_over_limit);
  evhttp_connection* evcon() const { return evcon_; }
  ConnectionPhase phase() const { return phase_; }
  /// When the present phase began.
  base::SteadyTime since() const { return since_; }
  /// Whether it may be closed for a new connection when it is idle.
  bool may_be_evicted() const { return evcon_ != nullptr && !is_exempt_from_eviction_; }

  ServerCore& server() { return server_; }
  ConnectionSocket& socket() { return socket_; }
  ClientIdentity& client() { return client_; }
  RequestReader& reader() { return reader_; }
  ResponseWriter& writer() { return writer_; }
  DestructionFlag& destruction_flag() { return destruction_flag_; }

  /// The boundary between libevent and this code, through which nothing may throw. When memory is exhausted, this
  /// connection is reset. It is not destroyed on return, because a caller may still use it: the loop then reports its
  /// end. `call` may destroy it.
  template <class Call>
  void guarded(Call call) noexcept {
    DestructionGuard guard(destruction_flag_);
    try {
      call();
    } catch (const std::bad_alloc&) {
      base::Memory::of_process().gave_up_work();
      if (!guard.is_destroyed()) socket_.reset();
    }
  }

  // The end of the connection.
  /// Sends the response for the reason, then drops further bytes until the client closes. Legal while no response is
  /// under way.
  void reject(RejectReason);
  /// Closes an idle or lingering connection. It is destroyed on return.
  void close();
  /// Resets the connection, so that no client takes a truncated body for a complete one. It is destroyed on return.
  void cut();

  // For the reader and the writer.
  void set_phase(ConnectionPhase);
  /// A request has arrived.
  void begin_exchange();
  /// evhttp has the request of the exchange, too; from here on evhttp completes the response.
  void attach(evhttp_request*);
  /// The request that evhttp has and to which no complete response was sent; nullptr on the fast path.
  evhttp_request* request() const { return request_; }
  /// Passes the request to the handler, or responds to it if it is not valid.
  void handle(http::Request&&, std::string_view target);
  /// The kernel has accepted the whole response.
  void complete_exchange();
  bool is_last_request() const;
  bool is_next_request_last() const;
  void update_eviction_exemption();

  /// For the exchange, which is being destroyed. Without a response the client gets a 500; a streamed one is cut.
  void abandon(HttpExchange&);

  // Positions in the server's lists.
  std::list<HttpConnection*>::iterator phase_position;
  std::list<HttpConnection*>::iterator watch_position;

 private:
  /// The data that the access log needs when the exchange no longer exists, or never did.
  struct LoggedRequest {
    http::Request request;
    AccessLogNote note;
  };

  static void on_response_sent(evhttp_request*, void*) noexcept;
  static void on_closed(evhttp_connection*, void*) noexcept;

  void reply_rejected(RejectReason, http::Request&&);
  void call_handler(std::unique_ptr<HttpExchange>);
  void log_exchange(bool is_complete);
  void linger();
  void end();

  ServerCore& server_;
  DestructionFlag destruction_flag_;
  ConnectionSocket socket_;
  ClientIdentity client_;
  RequestReader reader_;
  ResponseWriter writer_;
  evhttp_connection* evcon_ = nullptr;
  evhttp_request* request_ = nullptr;
  HttpExchange* exchange_ = nullptr;       // while it exists
  std::unique_ptr<LoggedRequest> logged_;  // the exchange was destroyed early, or there was none
  base::SteadyTime since_;
  std::int64_t exchanges_ = 0;  // begun so far
  ConnectionPhase phase_ = ConnectionPhase::fresh;
  bool is_exempt_from_eviction_ = false;  // as the exchange of the last response requests
};

}  // namespace tribune::net
