#pragma once
// Reads the requests of one HTTP/1.1 connection: validates the framing of the raw bytes before evhttp parses them, and
// delivers each parsed request to the connection. Owned by one worker; its owner is HttpConnection.
//
// The fast path
// While a connection is idle, its socket is read here and not by evhttp. A plain GET that arrives in one piece goes
// from the validator to the handler at once. When the response is complete inside the handler's call and the kernel
// accepts all of it, evhttp does not see the request. This saves evhttp's parsing, about 40 allocations, and the two
// system calls ioctl(FIONREAD) and epoll_ctl: together a fifth of the cost of a playlist served from memory. All other
// requests are passed to evhttp: their bytes are put into its input buffer, and it reads the socket until the response
// is complete. A request on the fast path whose response is late, is streamed, or does not fit into the socket is
// passed to evhttp in the same way (move_to_evhttp).
//
// States (the reader of the socket)
//   not started  nothing; evhttp does not use the socket yet                                 (constructor)
//   fast path    this class, while the connection is idle or a fast request is handled       (start_fast_path)
//   evhttp       evhttp reads into its input buffer; this class validates those bytes        (start, pass_to_evhttp)

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "net/server/request_framing_validator.h"

struct evbuffer;
struct evbuffer_cb_entry;
struct evbuffer_cb_info;
struct event;
struct evhttp_request;

namespace tribune::net {

class ClientIdentity;
class ConnectionSocket;
class HttpConnection;
class ServerCore;

class RequestReader {
 public:
  explicit RequestReader(HttpConnection&);
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  /// Begins to read. The socket is attached and the client is known.
  void start();
  /// evhttp has parsed a request.
  void on_evhttp_request(evhttp_request*);

  /// Whether a request is being handled that evhttp has not seen.
  bool is_on_fast_path() const { return !fast_head_.empty(); }
  /// The response to the request on the fast path is complete.
  void finish_fast_request() { fast_head_ = {}; }
  /// Passes the request on the fast path, if there is one, to evhttp, which will complete it. False when the connection
  /// was destroyed.
  bool move_to_evhttp();
  void start_fast_path();

  /// Makes the validator ready for the next message. Legal when the last one is complete.
  void start_next_message() { validator_.next(); }
  /// Validates the bytes that are already in the input buffer.
  void validate_input();
  /// Stops the fast path, and drops all bytes that have arrived and that will arrive.
  void discard();
  /// Lets evhttp detect that the client closes the connection while a response is awaited.
  void detect_disconnect();

 private:
  struct FreeEvent {
    void operator()(event*) const;
  };
  /// While one exists, on_input() ignores changes of the input buffer.
  class OwnChange {
   public:
    explicit OwnChange(RequestReader& reader) : reader_(reader) { reader_.is_own_change_ = true; }
    ~OwnChange() { reader_.is_own_change_ = false; }
    OwnChange(const OwnChange&) = delete;
    OwnChange& operator=(const OwnChange&) = delete;

   private:
    RequestReader& reader_;
  };

  static void on_input(evbuffer*, const evbuffer_cb_info*, void*) noexcept;
  static void on_readable(int, short, void*) noexcept;

  void on_bytes();
  bool read_proxy_header();
  bool validate_once();
  void replace_method(std::string method);
  void drop_input();
  void set_read_limit(std::uint64_t bytes);
  void stop_fast_path();
  void read_fast(char* bytes, std::size_t size);
  void pass_to_evhttp(std::string_view bytes, std::uint64_t validated);

  HttpConnection& connection_;
  ServerCore& server_;
  ConnectionSocket& socket_;
  ClientIdentity& client_;
  RequestFramingValidator validator_;
  std::unique_ptr<event, FreeEvent> readable_;  // the socket, while the fast path reads it
  std::string_view fast_head_;                  // the bytes of the request while is_on_fast_path()
  evbuffer_cb_entry* input_entry_ = nullptr;    // set once started
  std::string proxy_header_;                    // the bytes of it that have arrived
  std::string other_method_;                    // of the current message, when evhttp does not know it
  std::uint64_t validated_ = 0;                 // bytes at the front of the input buffer that the validator has seen
  std::uint64_t discarded_ = 0;                 // bytes
  bool is_own_change_ = false;
};

}  // namespace tribune::net
