#include "net/server/http_exchange.h"

#include "net/server/http_connection.h"
#include "net/server/request_id.h"

namespace tribune::net {

HttpExchange::~HttpExchange() {
  if (connection_ == nullptr) return;
  auto& connection = *std::exchange(connection_, nullptr);
  connection.guarded([&] { connection.abandon(*this); });
}

Arrival HttpExchange::arrival() const {
  return {connection_ != nullptr ? connection_->client().text() : request_.client,
          connection_ != nullptr && connection_->client().is_trusted(), has_empty_query_};
}

void HttpExchange::interim(int status, const http::Headers& fields) {
  if (state_ == State::received && connection_ != nullptr)
    connection_->guarded([&] { connection_->writer().interim(status, fields); });
}

void HttpExchange::pace(std::uint64_t bits_per_second) {
  if (state_ == State::received && connection_ != nullptr) connection_->writer().pace(bits_per_second);
}

/// The fields of every response to this request.
void HttpExchange::add_server_fields(http::Headers& headers) const {
  for (const auto& field : also.all()) headers.add(field.name, field.value);
  if (const auto id = request().headers.first(kRequestIdField)) headers.set(kRequestIdField, *id);
}

void HttpExchange::reply(http::Response response) {
  if (state_ != State::received) return;
  state_ = State::answered;
  add_server_fields(response.headers);
  if (connection_ != nullptr)
    connection_->guarded([&] { connection_->writer().reply(response, std::move(response.body)); });
}

void HttpExchange::begin(http::Response head, std::optional<std::uint64_t> length) {
  if (state_ != State::received) return;
  state_ = State::streaming;
  add_server_fields(head.headers);
  if (connection_ != nullptr)
    connection_->guarded([&] { connection_->writer().begin(head, std::move(head.body), length); });
}

void HttpExchange::write(http::Body part) {
  if (state_ == State::streaming && connection_ != nullptr)
    connection_->guarded([&] { connection_->writer().write(std::move(part)); });
}

std::uint64_t HttpExchange::unsent() const { return connection_ != nullptr ? connection_->writer().unsent() : 0; }

void HttpExchange::when_drained(std::uint64_t low_water, std::function<void()> ready) {
  if (state_ != State::streaming || connection_ == nullptr) return;
  if (unsent() > low_water) {
    connection_->writer().when_drained(low_water, std::move(ready));
    return;
  }
  // The callback is posted, because one that writes and calls when_drained() again would recurse.
  if (!alive_) alive_ = std::make_shared<bool>(true);
  loop_.post([weak = std::weak_ptr<bool>(alive_), ready = std::move(ready)] {
    if (weak.lock()) ready();
  });
}

void HttpExchange::finish() {
  if (state_ != State::streaming) return;
  state_ = State::answered;
  if (connection_ != nullptr) connection_->guarded([&] { connection_->writer().finish(); });
}

void HttpExchange::on_connection_closed() {
  connection_ = nullptr;
  state_ = State::gone;
  alive_.reset();
  // The callback may destroy this exchange, and with it the function that runs.
  if (const auto gone = std::move(on_gone_)) gone();
}

}  // namespace tribune::net
