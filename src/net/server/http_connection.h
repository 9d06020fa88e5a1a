#pragma once
// One client's connection: the guard over its raw bytes, its phase with the deadline that goes with it, and the answer
// on its way out. Owned by one worker. It lives from evhttp's accept until evhttp's close callback.
//
// Lifetime (one line per phase)
//   fresh       accepted; no byte of a request yet, perhaps part of a PROXY header   (accept)
//   idle        between an answer and the next request; may be closed for a newcomer (answer done)
//   head, body  part of a message arrived; its deadline runs                         (bytes)
//   handling    the handler has the request and has not answered                     (evhttp's callback)
//   streaming   begin() was called; parts go out as the handler writes them          (the exchange)
//   sending     the whole answer is queued, the kernel has not taken all             (the exchange)
//   lingering   our side is shut; what the client still sends is thrown away         (refusal, last answer)

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/memory.h"
#include "http/message.h"
#include "net/client_address.h"
#include "net/server/exchange.h"
#include "net/server/request_framing_validator.h"
#include "net/server/response_head.h"
#include "net/server/send_rate_watch.h"

struct bufferevent;
struct event;
struct evbuffer;
struct evbuffer_cb_entry;
struct evbuffer_cb_info;
struct evhttp_connection;
struct evhttp_request;

namespace tribune::net {

class HttpExchange;
class ServerCore;

enum class ConnectionPhase : std::uint8_t { fresh, idle, head, body, handling, streaming, sending, lingering, count_ };

class HttpConnection {
 public:
  /// Before evhttp knows the socket; adopt() follows in the same turn of the loop.
  HttpConnection(ServerCore&, bufferevent*);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  /// Takes the peer's address from evhttp; false when evhttp has already given the connection up.
  bool adopt();
  /// Counts it for its address, or refuses it. It may have been refused on return, never closed.
  void joined_as_newcomer(bool no_room);
  bufferevent* buffer() const { return buffer_; }
  evhttp_connection* evcon() const { return evcon_; }
  ConnectionPhase phase() const { return phase_; }
  base::SteadyTime since() const { return since_; }
  const std::string& client() const { return client_text_; }
  /// Whether it may be closed for a newcomer when it is idle.
  bool may_be_evicted() const { return evcon_ != nullptr && !keeps_place_; }
  /// Whether the peer is a proxy whose word on its clients counts.
  bool is_trusted() const { return trusted_; }

  /// evhttp has parsed a request; hands it to the server's handler.
  void dispatch(evhttp_request*);

  /// The seam between libevent and us: what cannot be done for want of memory costs this connection. It is not closed
  /// on return, for it may be in use up the stack: its socket is reset, and the loop meets its end. `call` may destroy
  /// it.
  template <class Call>
  void guarded(Call call) noexcept {
    bool gone = false;
    auto* outer = std::exchange(destroyed_, &gone);
    try {
      call();
    } catch (const std::bad_alloc&) {
      base::Memory::of_process().gave_up_work();
      if (!gone) reset_socket();
    }
    if (!gone)
      destroyed_ = outer;
    else if (outer != nullptr)
      *outer = true;
  }

  // For the exchange.
  void pace(std::uint64_t bits_per_second);
  void interim(int status, const http::Headers&);
  void reply(const http::Response&, http::Body&& body);
  void begin(const http::Response& head, http::Body&& first, std::optional<std::uint64_t> length);
  void write(http::Body&& part);
  void finish();
  std::uint64_t unsent() const;
  void when_drained(std::uint64_t low_water, std::function<void()> ready);
  /// The exchange goes; before an answer this means 500, in a stream it means a cut.
  void abandoned(HttpExchange&);

  // For the server.
  /// Answers with the refusal, then reads and drops until the client leaves. Legal while no answer is under way.
  void refuse(RejectReason);
  /// Closes in good order what is idle or lingering.
  void close();
  /// Resets the connection: no client takes a cut body for a whole one. The connection is gone on return.
  void cut();
  /// evhttp is about to free the connection.
  void closed();
  void reset_socket();
  bool is_too_slow(base::SteadyTime now, const SendRate&);
  /// Whether bytes are under way that the send watch must look at.
  bool is_watched() const { return watched_; }

  // Where the connection stands in the server's lists.
  std::list<HttpConnection*>::iterator place;
  std::list<HttpConnection*>::iterator watch_place;

 private:
  struct Answer {  // what is known of the answer under way
    int status = 0;
    std::uint64_t body_bytes = 0;  // queued so far
    std::uint64_t left = 0;        // of an announced length
    base::SteadyTime began;
    bool has_length = false;
    bool is_chunked = false;
    std::shared_ptr<const base::File> file;  // what was queued last came from it
    bool is_head = false;                    // HEAD, 204, 304: no body goes out
    std::uint64_t drained_at = 0;            // low water of when_drained
    std::function<void()> on_drained;
    // For the report, when the exchange is destroyed before the kernel took all, or there never was one.
    struct Kept {
      http::Request request;
      AccessLogNote note;
    };
    std::unique_ptr<Kept> kept;
  };

  static void on_input(evbuffer*, const evbuffer_cb_info*, void*) noexcept;
  static void on_output(evbuffer*, const evbuffer_cb_info*, void*) noexcept;
  static void on_answered(evhttp_request*, void*) noexcept;
  static void on_streamed(evhttp_connection*, void*) noexcept;
  static void on_closed(evhttp_connection*, void*) noexcept;

  void bytes_arrived();
  bool take_proxy_header();
  void scan();
  bool scan_once();
  void rename_method(std::string word);
  void set_phase(ConnectionPhase);
  void drop_input();
  void set_read_bound(std::uint64_t bytes);

  bool names_client(http::Request&);
  std::optional<RejectReason> count_client(const IpAddress&);
  http::Request take_request(evhttp_request*);
  bool place_target(std::string_view target, http::Request&);
  void call_handler(std::unique_ptr<HttpExchange>);
  void listen_for_leaving();
  void begin_handling();
  void hand_over(http::Request&&, std::string_view target);

  // http_connection_fast_path.cpp: requests that are answered before evhttp hears of them
  static void on_readable(int, short, void*) noexcept;
  void enter_express();
  void leave_express();
  void arrived_while_idle(char* bytes, std::size_t size);
  void give_to_evhttp(std::string_view bytes, std::uint64_t scanned);
  bool join_evhttp();
  /// Whether a request is being handled that evhttp does not know.
  bool is_express() const { return !express_head_.empty(); }

  void queue_interim_rest();
  Framing framing_for(int status, std::optional<std::uint64_t> length) const;
  std::uint64_t send_now(const std::string& head, const http::Body& body);
  void queue(http::Body&& body, std::uint64_t skip);
  void queue_part(http::Body&&);
  void queue_file(const base::FileSlice&, std::uint64_t skip);
  void flush();
  void apply_pace();
  void end_answer();
  void answered();
  void report(bool completed);
  void linger();
  void watch();
  int fd() const;
  evbuffer* input() const;
  evbuffer* output() const;

  ServerCore& server_;
  bufferevent* buffer_;
  evhttp_connection* evcon_ = nullptr;
  evhttp_request* request_ = nullptr;  // while an answer is owed that evhttp knows of
  HttpExchange* exchange_ = nullptr;   // while it lives
  struct FreeEvent {
    void operator()(event*) const;
  };
  std::unique_ptr<event, FreeEvent> readable_;  // reads the socket while the connection is idle
  std::string_view express_head_;               // the bytes of the request while is_express()
  evbuffer_cb_entry* input_entry_ = nullptr;
  evbuffer_cb_entry* output_entry_ = nullptr;
  bool* destroyed_ = nullptr;  // set while code runs that may end in the destructor
  RequestFramingValidator guard_;
  Answer answer_;
  SendRateWatch send_watch_;
  std::string interim_rest_;  // of an interim head, what the kernel did not take
  std::string proxy_bytes_;
  std::string other_method_;          // of the message at hand, when evhttp does not know it
  IpAddress peer_;                    // the real one
  IpAddress client_;                  // whom a trusted PROXY header named, else the peer
  std::optional<IpAddress> counted_;  // in the book
  std::string client_text_;
  base::SteadyTime since_;
  std::uint64_t taken_ = 0;           // bytes that the kernel took since the beginning
  std::uint64_t lingered_ = 0;        // bytes thrown away
  std::uint64_t asked_pace_bps_ = 0;  // of the answer under way; 0: none
  std::uint64_t pace_bps_ = 0;        // of the socket; 0: none
  std::uint64_t scanned_ = 0;         // bytes at the front of the input that the guard has seen
  std::int64_t requests_ = 0;
  std::uint16_t client_port_ = 0;
  ConnectionPhase phase_ = ConnectionPhase::fresh;
  bool own_change_ = false;  // we change the input ourselves
  bool wants_proxy_header_ = false;
  bool trusted_ = false;
  bool keep_alive_1_0_ = false;
  bool is_http_1_0_ = false;
  bool client_closes_ = false;  // evhttp closes after the answer, as the client asked
  bool closes_ = false;         // we close after the answer
  bool watched_ = false;
  bool keeps_place_ = false;  // as the last answer's exchange says
};

}  // namespace tribune::net
