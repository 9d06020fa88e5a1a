#pragma once
// Runs libcurl's multi handle on a worker's event loop: its sockets and its single timer. Internal to net/.

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
  /// `on_complete` runs for each finished handle, outside of libcurl; the handle is still added. `on_idle` runs each
  /// time when the outermost call into libcurl has returned, for work that must not run inside libcurl.
  struct Handlers {
    std::function<void(CURL*, CURLcode)> on_complete;
    std::function<void()> on_idle;
  };
  CurlMulti(EventLoop&, long max_kept_connections, Handlers);
  ~CurlMulti();
  CurlMulti(const CurlMulti&) = delete;
  CurlMulti& operator=(const CurlMulti&) = delete;

  /// Whether libcurl is on the stack. add() and remove() are not legal then.
  bool is_inside() const { return depth_ != 0; }
  bool add(CURL*);
  void remove(CURL*);
  void unpause(CURL*);
  /// For CURLOPT_CLOSESOCKETFUNCTION: removes the descriptor from the loop before it is reused.
  void remove_socket(curl_socket_t);

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
