#pragma once
// The listening sockets of one server. They are opened with SO_REUSEPORT, so that every worker has its own, and pause
// when descriptors are exhausted. Owned by one worker; its owner is ServerCore.
//
// States
//   listening  accepts connections                                                  (listen, resume)
//   paused     the sockets are open; nothing is accepted                            (pause, or an error of accept)
//   closed     the sockets are closed                                               (close)

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

struct event_base;
struct evhttp;
struct evconnlistener;
struct evhttp_bound_socket;

namespace tribune::net {

class Acceptor {
 public:
  /// `on_exhausted` is called when the kernel has no descriptor or memory for a pending connection, after the acceptor
  /// has paused itself.
  Acceptor(event_base* base, evhttp* http, std::function<void(int error)> on_exhausted);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  /// Listens on "address:port". `is_first`: fails for an address that another process listens on, which
  /// SO_REUSEPORT alone would share without an error.
  base::Status listen(const std::string& address, bool is_first);
  std::vector<std::string> bound() const;

  void pause();
  void resume();
  bool is_paused() const { return paused_; }
  void close();

 private:
  struct Listener {
    evconnlistener* listener;  // evhttp frees it
    evhttp_bound_socket* socket;
  };
  static void on_error(evconnlistener*, void*) noexcept;

  event_base* base_;
  evhttp* http_;
  std::function<void(int error)> on_exhausted_;
  std::vector<Listener> listeners_;
  bool paused_ = false;
};

}  // namespace tribune::net
