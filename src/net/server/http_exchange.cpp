#include "net/server/http_exchange.h"

#include "net/server/http_connection.h"
#include "net/server/request_id.h"

namespace tribune::net {

HttpExchange::~HttpExchange() {
  if (connection_ == nullptr) return;
  auto& connection = *std::exchange(connection_, nullptr);
  connection.guarded([&] { connection.abandoned(*this); });
}

Arrival HttpExchange::arrival() const {
  return {connection_ != nullptr ? connection_->client() : request_.client,
          connection_ != nullptr && connection_->is_trusted(), empty_query_};
}

void HttpExchange::interim(int status, const http::Headers& fields) {
  if (state_ == State::received && connection_ != nullptr)
    connection_->guarded([&] { connection_->interim(status, fields); });
}

void HttpExchange::pace(std::uint64_t bits_per_second) {
  if (state_ == State::received && connection_ != nullptr) connection_->pace(bits_per_second);
}

/// Of every answer to this request.
void HttpExchange::add_own_fields(http::Headers& headers) const {
  for (const auto& field : also.all()) headers.add(field.name, field.value);
  if (const auto id = request().headers.first(kRequestIdField)) headers.set(kRequestIdField, *id);
}

void HttpExchange::reply(http::Response response) {
  if (state_ != State::received) return;
  state_ = State::answered;
  add_own_fields(response.headers);
  if (connection_ != nullptr) connection_->guarded([&] { connection_->reply(response, std::move(response.body)); });
}

void HttpExchange::begin(http::Response head, std::optional<std::uint64_t> length) {
  if (state_ != State::received) return;
  state_ = State::streaming;
  add_own_fields(head.headers);
  if (connection_ != nullptr) connection_->guarded([&] { connection_->begin(head, std::move(head.body), length); });
}

void HttpExchange::write(http::Body part) {
  if (state_ == State::streaming && connection_ != nullptr)
    connection_->guarded([&] { connection_->write(std::move(part)); });
}

std::uint64_t HttpExchange::unsent() const { return connection_ != nullptr ? connection_->unsent() : 0; }

void HttpExchange::when_drained(std::uint64_t low_water, std::function<void()> ready) {
  if (state_ != State::streaming || connection_ == nullptr) return;
  if (unsent() > low_water) {
    connection_->when_drained(low_water, std::move(ready));
    return;
  }
  // Not from inside this call: a pump that writes and asks again would recurse.
  if (!token_) token_ = std::make_shared<bool>(true);
  loop_.post([weak = std::weak_ptr<bool>(token_), ready = std::move(ready)] {
    if (weak.lock()) ready();
  });
}

void HttpExchange::finish() {
  if (state_ != State::streaming) return;
  state_ = State::answered;
  if (connection_ != nullptr) connection_->guarded([&] { connection_->finish(); });
}

void HttpExchange::client_left() {
  connection_ = nullptr;
  state_ = State::gone;
  token_.reset();
  // The callback may destroy this exchange, and with it the function that runs.
  if (const auto gone = std::move(gone_)) gone();
}

}  // namespace tribune::net
