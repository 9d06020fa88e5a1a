#pragma once
// The socket of one connection: its bufferevent, every system call on its descriptor, and the count of bytes that the
// kernel accepted. Does not interpret the bytes. Owned by one worker; its owner is HttpConnection.
//
// States
//   referenced  accepted, not yet used by evhttp; holds a reference to the bufferevent  (constructor)
//   attached    evhttp owns the bufferevent and announces its end                       (attach)

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/message.h"

namespace tribune::net {

class ConnectionSocket {
 public:
  explicit ConnectionSocket(bufferevent* buffer);
  ~ConnectionSocket();
  ConnectionSocket(const ConnectionSocket&) = delete;
  ConnectionSocket& operator=(const ConnectionSocket&) = delete;

  void attach();

  bufferevent* buffer() const { return buffer_; }
  int fd() const { return bufferevent_getfd(buffer_); }
  evbuffer* input() const { return bufferevent_get_input(buffer_); }
  evbuffer* output() const { return bufferevent_get_output(buffer_); }
  std::size_t buffered_input() const { return evbuffer_get_length(input()); }
  /// Bytes queued here that the kernel has not accepted.
  std::size_t unsent() const { return evbuffer_get_length(output()); }

  /// Calls recv(2) without waiting.
  ssize_t receive(char* bytes, std::size_t size) const { return ::recv(fd(), bytes, size, MSG_DONTWAIT); }
  /// Sends the part of head and body that the kernel accepts at once; returns its length in bytes. Legal while nothing
  /// is queued. The event loop reports errors of the socket later.
  std::uint64_t send(std::string_view head, const http::Body& body);
  /// Sends the queued bytes that the kernel accepts at once.
  void send_queued();

  /// Sends FIN; the client may still send.
  void shut_down_sending() const;
  /// Resets the connection and empties the kernel's send queue. The event loop reports the end later.
  void reset() const;
  /// SO_MAX_PACING_RATE; 0 means unlimited.
  void set_pace(std::uint64_t bits_per_second) const;

  /// Bytes that the kernel has accepted since the connection began.
  std::uint64_t accepted_bytes() const { return accepted_bytes_; }
  /// Bytes that the kernel has accepted and the client has not acknowledged.
  std::uint64_t unacknowledged_bytes() const;

 private:
  static void on_output(evbuffer*, const evbuffer_cb_info*, void*) noexcept;

  bufferevent* buffer_;
  evbuffer_cb_entry* output_entry_ = nullptr;  // set while attached
  std::uint64_t accepted_bytes_ = 0;
};

}  // namespace tribune::net
