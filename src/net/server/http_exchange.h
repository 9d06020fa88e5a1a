#pragma once
// The HTTP/1.1 side of an Exchange: it keeps the order of calls and outlives its connection safely. Owned by one
// worker.

#include <functional>
#include <memory>
#include <utility>

#include "net/event_loop.h"
#include "net/server/exchange.h"

namespace tribune::net {

class HttpConnection;

class HttpExchange final : public Exchange {
 public:
  enum class State { received, streaming, answered, gone };

  HttpExchange(HttpConnection& connection, EventLoop& loop, http::Request&& request, bool empty_query)
      : connection_(&connection), loop_(loop), request_(std::move(request)), empty_query_(empty_query) {}
  ~HttpExchange() override;

  const http::Request& request() const override { return request_; }
  Arrival arrival() const override;
  void interim(int status, const http::Headers& fields) override;
  void pace(std::uint64_t bits_per_second) override;
  void reply(http::Response) override;
  void begin(http::Response head, std::optional<std::uint64_t> length) override;
  void write(http::Body part) override;
  std::uint64_t unsent() const override;
  void when_drained(std::uint64_t low_water, std::function<void()> ready) override;
  void finish() override;
  void on_gone(std::function<void()> gone) override { gone_ = std::move(gone); }

  // For the connection.
  State state() const { return state_; }
  http::Request take_request() { return std::move(request_); }
  /// The answer is complete: nothing more will happen to this exchange.
  void completed() { connection_ = nullptr; }
  /// The connection is gone. The exchange may be destroyed on return.
  void client_left();

 private:
  void add_own_fields(http::Headers&) const;

  HttpConnection* connection_;
  EventLoop& loop_;
  http::Request request_;
  const bool empty_query_;
  State state_ = State::received;
  std::function<void()> gone_;
  std::shared_ptr<bool> token_;  // for posted calls: dies with the exchange
};

}  // namespace tribune::net
