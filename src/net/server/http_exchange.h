#pragma once
// The HTTP/1.1 implementation of Exchange: enforces the order of calls and may outlive its connection. Owned by one
// worker; its owner is the handler.
//
// States
//   received   the handler has the request                                       (HttpConnection::handle)
//   streaming  begin() was called                                                (the handler)
//   answered   reply() or finish() was called                                    (the handler)
//   gone       the connection ended before the response was complete             (on_connection_closed)

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

  HttpExchange(HttpConnection& connection, EventLoop& loop, http::Request&& request, bool has_empty_query)
      : connection_(&connection), loop_(loop), request_(std::move(request)), has_empty_query_(has_empty_query) {}
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
  void on_gone(std::function<void()> gone) override { on_gone_ = std::move(gone); }

  // For the connection.
  State state() const { return state_; }
  http::Request take_request() { return std::move(request_); }
  /// The response is complete; the connection is not used any more.
  void completed() { connection_ = nullptr; }
  /// The connection ended. The exchange may be destroyed on return.
  void on_connection_closed();

 private:
  void add_server_fields(http::Headers&) const;

  HttpConnection* connection_;
  EventLoop& loop_;
  http::Request request_;
  const bool has_empty_query_;
  State state_ = State::received;
  std::function<void()> on_gone_;
  std::shared_ptr<bool> alive_;  // posted calls hold it weakly: it is destroyed with the exchange
};

}  // namespace tribune::net
