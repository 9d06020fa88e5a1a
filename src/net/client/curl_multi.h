#pragma once
// libcurl's multi handle driven by a worker's loop: sockets and the one timer that libcurl asks for. Internal to net/.

#include <curl/curl.h>

#include <functional>
#include <memory>
#include <unordered_map>

#include "net/event_loop.h"

struct event;

namespace tribune::net {

/// Owned by one worker.
class CurlMulti {
 public:
  /// `on_complete` runs for each finished handle, still added, outside of libcurl. `on_idle` runs whenever the
  /// outermost call into libcurl has returned: what had to wait for that is done there.
  struct Handlers {
    std::function<void(CURL*, CURLcode)> on_complete;
    std::function<void()> on_idle;
  };
  CurlMulti(EventLoop&, long max_kept_connections, Handlers);
  ~CurlMulti();
  CurlMulti(const CurlMulti&) = delete;
  CurlMulti& operator=(const CurlMulti&) = delete;

  /// Whether libcurl is on the stack: then add() and remove() must wait.
  bool is_inside() const { return depth_ != 0; }
  bool add(CURL*);
  void remove(CURL*);
  void unpause(CURL*);
  /// For CURLOPT_CLOSESOCKETFUNCTION: the loop forgets the descriptor before it may be used again.
  void forget_socket(curl_socket_t);

 private:
  struct FreeEvent {
    void operator()(event*) const;
  };
  using EventPtr = std::unique_ptr<event, FreeEvent>;

  static int on_socket_wanted(CURL*, curl_socket_t, int what, void* self, void*) noexcept;
  static int on_timer_wanted(CURLM*, long timeout_ms, void* self) noexcept;
  static void on_socket_ready(int fd, short what, void* self) noexcept;
  static void on_time(int, short, void* self) noexcept;
  void act(curl_socket_t, int what);
  void leave();

  EventLoop& loop_;
  Handlers handlers_;
  CURLM* multi_ = nullptr;
  int depth_ = 0;
  EventPtr timer_;
  std::unordered_map<curl_socket_t, EventPtr> sockets_;
};

}  // namespace tribune::net
