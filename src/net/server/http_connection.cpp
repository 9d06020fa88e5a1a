#include "net/server/http_connection.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "net/listening_sockets.h"
#include "net/server/http_exchange.h"
#include "net/server/http_server_core.h"
#include "net/server/proxy_protocol.h"

namespace tribune::net {
namespace {

constexpr std::uint64_t kReadSlack = 16 * 1024;        // what may be read beyond the message that is being judged
constexpr std::uint64_t kMaxLingerBytes = 256 * 1024;  // what a refused client may go on sending
constexpr std::size_t kMaxSingleWrite = 4 << 20;

}  // namespace

HttpConnection::HttpConnection(ServerCore& server, bufferevent* buffer)
    : server_(server), buffer_(buffer), guard_(server.guard_limits()), since_(server.now()) {
  // The bufferevent may die with evhttp's attempt to use it; adopt() looks.
  bufferevent_incref(buffer_);
  bufferevent_set_max_single_write(buffer_, kMaxSingleWrite);
  server_.joined(*this, phase_);
}

HttpConnection::~HttpConnection() {
  if (destroyed_ != nullptr) *destroyed_ = true;
  if (counted_) server_.book().leave(*counted_);
  if (evcon_ == nullptr) {
    bufferevent_decref(buffer_);  // never adopted
    return;
  }
  evbuffer_remove_cb_entry(input(), input_entry_);
  evbuffer_remove_cb_entry(output(), output_entry_);
}

int HttpConnection::fd() const { return bufferevent_getfd(buffer_); }
evbuffer* HttpConnection::input() const { return bufferevent_get_input(buffer_); }
evbuffer* HttpConnection::output() const { return bufferevent_get_output(buffer_); }

bool HttpConnection::adopt() {
  void* argument = nullptr;
  bufferevent_getcb(buffer_, nullptr, nullptr, nullptr, &argument);
  if (argument == nullptr || fd() < 0) return false;
  evcon_ = static_cast<evhttp_connection*>(argument);
  bufferevent_decref(buffer_);  // evhttp holds it from here on, and says so before it lets go
  evhttp_connection_set_closecb(evcon_, on_closed, this);
  input_entry_ = evbuffer_add_cb(input(), on_input, this);
  output_entry_ = evbuffer_add_cb(output(), on_output, this);
  set_read_bound(server_.limits().max_head_bytes);
  apply_pace();

  const auto* address = evhttp_connection_get_addr(evcon_);
  if (const auto ip = ip_of(address)) peer_ = *ip;
  client_ = peer_;
  client_port_ = port_of(address);
  client_text_ = client_.text();
  trusted_ = server_.trusted().contains(peer_);
  wants_proxy_header_ = trusted_ && server_.wants_proxy_header();
  if (!wants_proxy_header_) enter_express();
  return true;
}

void HttpConnection::joined_as_newcomer(bool no_room) {
  if (no_room) return refuse(RejectReason::too_many_connections);
  if (trusted_) return;  // whom it speaks for is counted
  if (const auto refusal = count_client(client_)) refuse(*refusal);
}

std::optional<RejectReason> HttpConnection::count_client(const IpAddress& client) {
  if (counted_ && *counted_ == client) return std::nullopt;
  if (counted_) server_.book().leave(*counted_);
  counted_.reset();
  if (!server_.book().enter(client, server_.limits().max_connections_per_address))
    return RejectReason::too_many_from_address;
  counted_ = client;
  return std::nullopt;
}

void HttpConnection::set_phase(ConnectionPhase next) {
  const auto before = phase_;
  phase_ = next;
  since_ = server_.now();
  server_.moved(*this, before, next);
}

void HttpConnection::set_read_bound(std::uint64_t bytes) {
  bufferevent_setwatermark(buffer_, EV_READ, 0, bytes + kReadSlack);
}

void HttpConnection::on_input(evbuffer*, const evbuffer_cb_info* info, void* arg) noexcept {
  auto* self = static_cast<HttpConnection*>(arg);
  if (self->own_change_) return;
  self->scanned_ -= std::min<std::uint64_t>(self->scanned_, info->n_deleted);
  if (info->n_added != 0) self->guarded([self] { self->bytes_arrived(); });
}

void HttpConnection::on_output(evbuffer*, const evbuffer_cb_info* info, void* arg) noexcept {
  static_cast<HttpConnection*>(arg)->taken_ += info->n_deleted;
}

void HttpConnection::bytes_arrived() {
  switch (phase_) {
    case ConnectionPhase::fresh:
      if (wants_proxy_header_ && !take_proxy_header()) return;
      return scan();
    case ConnectionPhase::idle:
    case ConnectionPhase::head:
    case ConnectionPhase::body: return scan();
    case ConnectionPhase::lingering: return drop_input();
    default: return;  // pipelined: judged when its turn comes
  }
}

void HttpConnection::drop_input() {
  own_change_ = true;
  lingered_ += evbuffer_get_length(input());
  evbuffer_drain(input(), evbuffer_get_length(input()));
  own_change_ = false;
  scanned_ = 0;
  if (lingered_ > kMaxLingerBytes) bufferevent_disable(buffer_, EV_READ);  // the sweep closes it
}

bool HttpConnection::take_proxy_header() {
  const auto size = evbuffer_get_length(input());
  const auto before = proxy_bytes_.size();
  proxy_bytes_.resize(before + size);
  own_change_ = true;
  evbuffer_remove(input(), proxy_bytes_.data() + before, size);
  own_change_ = false;
  const auto header = read_proxy_header(proxy_bytes_);
  if (header.state == ProxyHeader::State::incomplete) return false;
  const bool is_absent = header.state == ProxyHeader::State::invalid;
  if (is_absent && !ListeningSockets::of_process().has_other_end_of(fd())) {
    refuse(RejectReason::proxy_header_invalid);
    return false;
  }
  wants_proxy_header_ = false;
  // From here on the connection is the named client's, who may write what it likes into X-Forwarded-For. Where nobody
  // is named, nobody vouches for the field either.
  if (!is_absent) trusted_ = header.client && server_.trusted().contains(*header.client);
  if (header.client) {
    client_ = *header.client;
    client_port_ = header.client_port;
    client_text_ = client_.text();
  }
  const auto bytes = std::move(proxy_bytes_);
  proxy_bytes_ = {};
  if (header.client && !trusted_)
    if (const auto refusal = count_client(client_)) {
      refuse(*refusal);
      return false;
    }
  own_change_ = true;
  evbuffer_add(input(), bytes.data() + header.length, bytes.size() - header.length);
  own_change_ = false;
  return true;
}

void HttpConnection::scan() {
  while (scan_once()) {
  }
  if (auto word = guard_.take_other_method(); !word.empty()) rename_method(std::move(word));
  if (phase_ == ConnectionPhase::lingering || !guard_.begun()) return;
  if (guard_.in_body() && phase_ != ConnectionPhase::body) {
    set_phase(ConnectionPhase::body);
    // evhttp leaves a body in the input until it is whole.
    set_read_bound(server_.limits().max_body_bytes + server_.limits().max_head_bytes);
  } else if (phase_ == ConnectionPhase::fresh || phase_ == ConnectionPhase::idle) {
    set_phase(ConnectionPhase::head);
  }
}

bool HttpConnection::scan_once() {
  auto* bytes = input();
  if (guard_.complete() || scanned_ >= evbuffer_get_length(bytes)) return false;
  evbuffer_ptr start;
  evbuffer_ptr_set(bytes, &start, scanned_, EVBUFFER_PTR_SET);
  constexpr int kParts = 4;
  evbuffer_iovec parts[kParts];
  const int count = std::min(evbuffer_peek(bytes, -1, &start, parts, kParts), kParts);
  for (int i = 0; i < count; ++i) {
    const auto progress = guard_.feed(static_cast<char*>(parts[i].iov_base), parts[i].iov_len);
    scanned_ += progress.used;
    switch (progress.step) {
      case RequestFramingValidator::Step::more: break;
      case RequestFramingValidator::Step::empty_line:
        own_change_ = true;
        evbuffer_drain(bytes, scanned_);
        own_change_ = false;
        scanned_ = 0;
        return true;
      case RequestFramingValidator::Step::complete: return false;
      case RequestFramingValidator::Step::refused: refuse(guard_.refusal()); return false;
    }
  }
  return count > 0;
}

/// evhttp refuses a method that it does not know, without reading its body: it gets one that may have a body in its
/// place.
void HttpConnection::rename_method(std::string word) {
  if (phase_ == ConnectionPhase::lingering) return;
  constexpr std::string_view kKnown = "POST";
  own_change_ = true;
  evbuffer_drain(input(), word.size());
  evbuffer_prepend(input(), kKnown.data(), kKnown.size());
  own_change_ = false;
  scanned_ = scanned_ - word.size() + kKnown.size();
  other_method_ = std::move(word);
}

void HttpConnection::refuse(RejectReason refusal) {
  server_.rejected(refusal, client_text_);
  const auto response = refusal_response(refusal);
  const auto* text = std::get_if<std::string>(&response.body);
  Framing framing;
  framing.length = text ? text->size() : 0;
  framing.close = true;
  auto answer = server_.answer_head().write(response.status, response.headers, framing);
  if (text) answer += *text;
  // No answer is under way, so the socket has room; evhttp's write callback must not run here, it would end a request.
  if (evbuffer_get_length(output()) == 0) {
    const auto sent = ::send(fd(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) taken_ += static_cast<std::uint64_t>(sent);
  }
  linger();
}

void HttpConnection::linger() {
  leave_express();
  ::shutdown(fd(), SHUT_WR);
  set_phase(ConnectionPhase::lingering);
  drop_input();
}

void HttpConnection::close() { evhttp_connection_free(evcon_); }

void HttpConnection::cut() {
  // A FIN may look like the end of a body that has no length.
  reset_socket();
  evhttp_connection_free(evcon_);
}

/// Connecting to nowhere resets and empties the send queue.
void HttpConnection::reset_socket() {
  sockaddr nowhere{};
  nowhere.sa_family = AF_UNSPEC;
  ::connect(fd(), &nowhere, sizeof nowhere);
}

void HttpConnection::on_closed(evhttp_connection*, void* arg) noexcept {
  try {
    static_cast<HttpConnection*>(arg)->closed();
  } catch (const std::bad_alloc&) {
    base::Memory::of_process().gave_up_work();
  }
}

void HttpConnection::closed() {
  // libevent ends the connection inside the call whose sendfile failed: errno still says whether the disk was at fault.
  if (errno == EIO && answer_.file && evbuffer_get_length(output()) != 0) answer_.file->report_unreadable();
  if (request_ != nullptr) {
    report(false);
    // evhttp has let go of a request whose handler is still at work; otherwise it frees it with the connection.
    if (evhttp_request_get_connection(request_) == nullptr) evhttp_request_free(request_);
    request_ = nullptr;
  }
  auto* exchange = std::exchange(exchange_, nullptr);
  const auto self = server_.take_out(*this);
  if (exchange != nullptr) exchange->client_left();
}

bool HttpConnection::is_too_slow(base::SteadyTime now, const SendRate& rate) {
  int in_kernel = 0;
  if (::ioctl(fd(), SIOCOUTQ, &in_kernel) != 0) in_kernel = 0;
  const auto queued = static_cast<std::uint64_t>(std::max(in_kernel, 0));
  const auto waiting = queued + evbuffer_get_length(output());
  const bool slow = send_watch_.is_too_slow(now, taken_ - std::min(taken_, queued), waiting, rate);
  const bool is_at_rest = phase_ != ConnectionPhase::sending && phase_ != ConnectionPhase::streaming;
  if (waiting == 0 && is_at_rest) {
    send_watch_.reset();
    watched_ = false;
  }
  return slow;
}

void HttpConnection::watch() {
  if (watched_) return;
  watched_ = true;
  server_.watch(*this);
}

}  // namespace tribune::net
