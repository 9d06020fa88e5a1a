#pragma once
// The listening sockets of one server: opened with SO_REUSEPORT, so that every worker has its own; closed for a while
// when descriptors run out. Owned by one worker.

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
  /// `on_exhausted` is called when the kernel has no descriptor or memory for a connection that waits; the gate has
  /// paused itself by then.
  Acceptor(event_base* base, evhttp* http, std::function<void(int error)> on_exhausted);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  /// Listens on "address:port". `is_first`: refuses an address that another process listens on, which SO_REUSEPORT
  /// alone would share silently.
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
