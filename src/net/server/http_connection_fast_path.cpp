// The express lane. While a connection is idle its socket is read here, not by evhttp. A plain GET that comes in one
// piece goes from the guard to the handler at once, and when the answer is complete inside the handler's call and the
// kernel takes the whole of it, evhttp never hears of the request. That saves what evhttp does for each one: its own
// parsing, some forty allocations, and the two system calls of ioctl(FIONREAD) and epoll_ctl; together a fifth of what
// a playlist from memory costs.
//
// Everything else is evhttp's: its bytes are put where it reads, and it takes the socket over until the next answer
// ends inside its call. A request that turns out to need more, because the answer comes later, is streamed, or does not
// fit into the socket, is given to evhttp in the same way and goes on as if it had been there from the beginning
// (join_evhttp).
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <sys/socket.h>

#include <cerrno>

#include "net/server/fast_request_parser.h"
#include "net/server/http_connection.h"
#include "net/server/http_exchange.h"
#include "net/server/http_server_core.h"

namespace tribune::net {

void HttpConnection::FreeEvent::operator()(event* e) const { event_free(e); }

void HttpConnection::enter_express() {
  if (!readable_)
    readable_.reset(event_new(bufferevent_get_base(buffer_), fd(), EV_READ | EV_PERSIST, on_readable, this));
  if (!readable_) return;  // evhttp goes on reading
  bufferevent_disable(buffer_, EV_READ);
  event_add(readable_.get(), nullptr);
}

void HttpConnection::leave_express() {
  if (!readable_ || event_pending(readable_.get(), EV_READ, nullptr) == 0) return;
  event_del(readable_.get());
  bufferevent_enable(buffer_, EV_READ);
}

void HttpConnection::on_readable(int, short, void* arg) noexcept {
  auto* self = static_cast<HttpConnection*>(arg);
  auto& room = self->server_.express_room();
  const auto size = ::recv(self->fd(), room.data(), room.size(), MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) return self->close();  // the client left an idle connection
  self->guarded([&] { self->arrived_while_idle(room.data(), static_cast<std::size_t>(size)); });
}

void HttpConnection::arrived_while_idle(char* bytes, std::size_t size) {
  const std::string_view head(bytes, size);
  // The last request of a connection, or of the server, ends it: evhttp knows how.
  const bool is_last = server_.is_draining() || requests_ + 1 >= server_.limits().max_requests_per_connection;
  if (is_last || !looks_like_plain_head(head)) return give_to_evhttp(head, 0);
  const auto progress = guard_.feed(bytes, size);
  if (progress.step == RequestFramingValidator::Step::refused) return refuse(guard_.refusal());
  http::Request request;
  const bool is_whole = progress.step == RequestFramingValidator::Step::complete && progress.used == size;
  const auto target = is_whole ? read_plain_head(head, request) : std::nullopt;
  if (!target) return give_to_evhttp(head, progress.used);

  bool gone = false;
  auto* outer = std::exchange(destroyed_, &gone);
  express_head_ = head;
  closes_ = client_closes_ = keep_alive_1_0_ = is_http_1_0_ = false;
  request.client = client_text_;
  request.client_port = client_port_;
  begin_handling();
  hand_over(std::move(request), *target);
  if (!gone)
    destroyed_ = outer;
  else if (outer != nullptr)
    *outer = true;
}

/// Puts bytes where evhttp reads, of which the guard has judged `scanned`, and lets it read on.
void HttpConnection::give_to_evhttp(std::string_view bytes, std::uint64_t scanned) {
  leave_express();
  own_change_ = true;
  evbuffer_unfreeze(input(), 0);
  evbuffer_add(input(), bytes.data(), bytes.size());
  evbuffer_freeze(input(), 0);
  own_change_ = false;
  scanned_ = scanned;
  if (!is_express()) scan();
  if (phase_ != ConnectionPhase::lingering) bufferevent_trigger(buffer_, EV_READ, 0);
}

/// Makes evhttp know the request that is being handled. False when that ended the connection, and this with it.
bool HttpConnection::join_evhttp() {
  if (!is_express()) return true;
  bool gone = false;
  auto* outer = std::exchange(destroyed_, &gone);
  give_to_evhttp(express_head_, express_head_.size());  // dispatch() takes it
  if (!gone && (request_ == nullptr || scanned_ != 0)) {
    // The two readers do not agree about it; the handler has it already.
    server_.rejected(RejectReason::framing_disagreement, client_text_);
    cut();
  }
  if (gone) {
    if (outer != nullptr) *outer = true;
    return false;
  }
  destroyed_ = outer;
  return true;
}

}  // namespace tribune::net
