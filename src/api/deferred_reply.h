#pragma once
// An exchange that is answered later, from any thread.

#include <functional>
#include <memory>

#include "http/message.h"
#include "net/event_loop.h"
#include "net/server/exchange.h"

namespace tribune::api {

/// Copies share one exchange. Made on the exchange's worker; reply() and resume() from any thread.
class DeferredReply {
 public:
  DeferredReply(net::EventLoop& loop, std::unique_ptr<net::Exchange> exchange)
      : waiting_(std::make_shared<Waiting>(loop)) {
    waiting_->exchange = std::move(exchange);
    waiting_->exchange->on_gone([waiting = std::weak_ptr(waiting_)] {
      if (const auto still = waiting.lock()) still->exchange.reset();
    });
  }

  /// Creates the response on the worker, and sends it unless the client has left. To be called once.
  void reply(std::function<http::Response(const http::Request&)> make) const {
    waiting_->loop.post([waiting = waiting_, make = std::move(make)] {
      if (const auto exchange = std::move(waiting->exchange)) exchange->reply(make(exchange->request()));
    });
  }

  /// Calls `go_on` with the exchange on the worker, unless the client has left. To be called once, instead of reply().
  void resume(std::function<void(std::unique_ptr<net::Exchange>)> go_on) const {
    waiting_->loop.post([waiting = waiting_, go_on = std::move(go_on)] {
      if (auto exchange = std::move(waiting->exchange)) go_on(std::move(exchange));
    });
  }

 private:
  struct Waiting {
    explicit Waiting(net::EventLoop& worker) : loop(worker) {}
    net::EventLoop& loop;
    std::unique_ptr<net::Exchange> exchange;  // used on the loop's thread only; null when the client has left
  };
  std::shared_ptr<Waiting> waiting_;
};

}  // namespace tribune::api
