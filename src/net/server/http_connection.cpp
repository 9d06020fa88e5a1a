#include "net/server/http_connection.h"

#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/http_struct.h>

#include <exception>
#include <utility>

#include "http/problem.h"
#include "net/server/http_exchange.h"
#include "net/server/http_server_core.h"
#include "net/server/request_target.h"

namespace tribune::net {
namespace {

constexpr int kStatusClientLeft = 499;  // in the access log only: no response was given

}  // namespace

HttpConnection::HttpConnection(ServerCore& server, bufferevent* buffer)
    : server_(server), socket_(buffer), client_(server), reader_(*this), writer_(*this), since_(server.now()) {
  server_.add(*this);
}

HttpConnection::~HttpConnection() = default;

bool HttpConnection::adopt() {
  void* argument = nullptr;
  bufferevent_getcb(socket_.buffer(), nullptr, nullptr, nullptr, &argument);
  if (argument == nullptr || socket_.fd() < 0) return false;
  evcon_ = static_cast<evhttp_connection*>(argument);
  evhttp_connection_set_closecb(evcon_, on_closed, this);
  socket_.attach();
  writer_.apply_pace();
  client_.set_peer(evhttp_connection_get_addr(evcon_));
  reader_.start();
  return true;
}

void HttpConnection::admit(bool is_over_limit) {
  if (is_over_limit) return reject(RejectReason::too_many_connections);
  if (const auto reason = client_.count()) reject(*reason);
}

void HttpConnection::set_phase(ConnectionPhase next) {
  const auto before = phase_;
  phase_ = next;
  since_ = server_.now();
  server_.on_phase_changed(*this, before, next);
}

// --- The exchange

void HttpConnection::begin_exchange() {
  logged_.reset();
  writer_.begin_exchange(server_.now());
  ++exchanges_;
  set_phase(ConnectionPhase::handling);
}

bool HttpConnection::is_last_request() const { return exchanges_ >= server_.limits().max_requests_per_connection; }

bool HttpConnection::is_next_request_last() const {
  return exchanges_ + 1 >= server_.limits().max_requests_per_connection;
}

void HttpConnection::attach(evhttp_request* request) {
  request_ = request;
  // evhttp sets this flag for a chunked request, and would apply it to the response.
  request->chunked = 0;
  // For an absolute target evhttp assumes that it is a proxy. The validator has compared the authority with Host.
  request->flags &= ~EVHTTP_PROXY_REQUEST;
  evhttp_request_set_on_complete_cb(request, on_response_sent, this);
}

void HttpConnection::handle(http::Request&& request, std::string_view target) {
  settle_request_id(request, client_.is_trusted(), server_.request_ids());
  if (client_.is_trusted()) {
    if (const auto reason = client_.apply_forwarded_fields(request)) {
      writer_.persistence().closes = true;
      return reply_rejected(*reason, std::move(request));
    }
  }
  if (target.empty() || !set_target(request, target))
    return reply_rejected(RejectReason::path_invalid, std::move(request));

  const bool is_whole_server = request.path == "*";
  const bool has_empty_query = !target.empty() && target.find('?') == target.size() - 1;
  auto exchange = std::make_unique<HttpExchange>(*this, server_.context().loop, std::move(request), has_empty_query);
  exchange_ = exchange.get();
  if (is_whole_server) {  // OPTIONS * is for the server itself (RFC 9110 section 9.3.7)
    exchange->reply({204, {{"Allow", "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE"}}, {}});
    return;
  }
  DestructionGuard guard(destruction_flag_);
  call_handler(std::move(exchange));
  if (guard.is_destroyed()) return;
  const bool is_pending = phase_ == ConnectionPhase::handling && exchange_ != nullptr;
  if (is_pending && reader_.move_to_evhttp()) reader_.detect_disconnect();
}

void HttpConnection::reply_rejected(RejectReason reason, http::Request&& request) {
  server_.count_rejection(reason, request.client);
  logged_ = std::make_unique<LoggedRequest>(LoggedRequest{std::move(request), {"", to_string(reason), "", ""}});
  auto response = refusal_response(reason);
  response.headers.add(kRequestIdField, logged_->request.headers.first(kRequestIdField).value_or(""));
  writer_.reply(response, std::move(response.body));
}

/// When memory is exhausted, the handler's exchange is destroyed and responds with an error or cuts the connection.
void HttpConnection::call_handler(std::unique_ptr<HttpExchange> exchange) {
  try {
    server_.context().handler(std::move(exchange));
  } catch (const std::bad_alloc&) {
    base::Memory::of_process().gave_up_work();
  }
}

void HttpConnection::update_eviction_exemption() {
  is_exempt_from_eviction_ = exchange_ != nullptr && exchange_->keeps_place;
}

void HttpConnection::on_response_sent(evhttp_request*, void* arg) noexcept {
  auto* self = static_cast<HttpConnection*>(arg);
  self->guarded([self] { self->complete_exchange(); });
}

void HttpConnection::complete_exchange() {
  log_exchange(true);
  request_ = nullptr;
  if (auto* exchange = std::exchange(exchange_, nullptr)) exchange->completed();
  logged_.reset();
  writer_.end_exchange();
  const auto& persistence = writer_.persistence();
  if (persistence.evhttp_closes) return;  // evhttp closes the connection next
  if (persistence.closes || server_.is_draining()) return linger();
  reader_.start_next_message();
  set_phase(ConnectionPhase::idle);
  if (socket_.buffered_input() != 0) reader_.validate_input();
}

void HttpConnection::abandon(HttpExchange& exchange) {
  exchange_ = nullptr;
  logged_ = std::make_unique<LoggedRequest>(LoggedRequest{exchange.take_request(), std::move(exchange.note)});
  switch (exchange.state()) {
    case HttpExchange::State::received: {
      // The only exception that can be in flight here is std::bad_alloc.
      auto response = std::uncaught_exceptions() > 0
                          ? http::problem(http::problems::overloaded, "The server has no memory left for the request.")
                          : http::problem(http::problems::internal, "No handler responded to the request.");
      response.headers.add(kRequestIdField, logged_->request.headers.first(kRequestIdField).value_or(""));
      writer_.reply(response, std::move(response.body));
      return;
    }
    case HttpExchange::State::streaming: cut(); return;
    case HttpExchange::State::answered:
    case HttpExchange::State::gone: return;  // the rest is sent without the exchange
  }
}

void HttpConnection::log_exchange(bool is_complete) {
  const auto& on_finished = server_.context().on_finished;
  if (!on_finished || (exchange_ == nullptr && logged_ == nullptr)) return;
  on_finished({exchange_ != nullptr ? exchange_->request() : logged_->request,
               writer_.status() != 0 ? writer_.status() : kStatusClientLeft, writer_.body_bytes_sent(is_complete),
               server_.now() - writer_.began(), exchange_ != nullptr ? exchange_->note : logged_->note, is_complete});
}

// --- The end

void HttpConnection::reject(RejectReason reason) {
  server_.count_rejection(reason, client_.text());
  writer_.send_rejection(reason);
  linger();
}

void HttpConnection::linger() {
  socket_.shut_down_sending();
  set_phase(ConnectionPhase::lingering);
  reader_.discard();
}

void HttpConnection::close() { evhttp_connection_free(evcon_); }

void HttpConnection::cut() {
  // A FIN would look like the end of a body without a length.
  socket_.reset();
  evhttp_connection_free(evcon_);
}

void HttpConnection::on_closed(evhttp_connection*, void* arg) noexcept {
  try {
    static_cast<HttpConnection*>(arg)->end();
  } catch (const std::bad_alloc&) {
    base::Memory::of_process().gave_up_work();
  }
}

/// evhttp is about to free the connection.
void HttpConnection::end() {
  writer_.report_unreadable_file();
  if (request_ != nullptr) {
    log_exchange(false);
    // evhttp has detached a request whose handler is still at work. Otherwise evhttp frees it with the connection.
    if (evhttp_request_get_connection(request_) == nullptr) evhttp_request_free(request_);
    request_ = nullptr;
  }
  auto* exchange = std::exchange(exchange_, nullptr);
  const auto self = server_.remove(*this);
  if (exchange != nullptr) exchange->on_connection_closed();
}

}  // namespace tribune::net
