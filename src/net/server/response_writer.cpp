#include "net/server/response_writer.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <string_view>
#include <utility>

#include "net/server/http_connection.h"
#include "net/server/http_server_core.h"
#include "net/server/output_buffer.h"

namespace tribune::net {
namespace {

constexpr std::uint64_t kWatchedBytes = 64 * 1024;  // a body of this size may stay in the kernel's queue for long

void shorten(http::Body& body, std::uint64_t length) {
  if (auto* own = std::get_if<std::string>(&body))
    own->resize(length);
  else if (auto* bytes = std::get_if<base::BytesSlice>(&body))
    bytes->length = length;
  else if (auto* file = std::get_if<base::FileSlice>(&body))
    file->length = length;
}

}  // namespace

ResponseWriter::ResponseWriter(HttpConnection& connection)
    : connection_(connection), server_(connection.server()), socket_(connection.socket()) {}

void ResponseWriter::begin_exchange(base::SteadyTime now) {
  response_ = {};
  response_.began = now;
}

Framing ResponseWriter::framing_for(int status, std::optional<std::uint64_t> length) const {
  Framing framing;
  if (status == 204 || status == 304)
    framing.kind = Framing::Kind::none;
  else if (length)
    framing.length = *length;
  else
    framing.kind = persistence_.is_http_1_0 ? Framing::Kind::until_close : Framing::Kind::chunked;
  framing.close = persistence_.evhttp_closes || persistence_.closes || framing.kind == Framing::Kind::until_close;
  framing.keep_alive = persistence_.keep_alive_1_0;
  return framing;
}

// --- Heads and whole responses

/// An interim head is sent at once or not at all, because evhttp does not know such heads.
void ResponseWriter::interim(int status, const http::Headers& fields) {
  if (connection_.phase() != ConnectionPhase::handling || connection_.reader().is_on_fast_path() ||
      persistence_.is_http_1_0 || !interim_rest_.empty() || socket_.unsent() != 0)
    return;
  const auto& head = server_.response_head().write_interim(status, fields);
  if (const auto sent = socket_.send(head, {}); sent != 0) interim_rest_ = head.substr(sent);
}

/// The rest of an interim head precedes the response.
void ResponseWriter::append_interim_rest() {
  if (!interim_rest_.empty()) append_bytes(socket_.output(), std::exchange(interim_rest_, {}));
}

void ResponseWriter::reply(const http::Response& response, http::Body&& body) {
  append_interim_rest();
  apply_pace();
  connection_.update_eviction_exemption();
  persistence_.closes = persistence_.closes || server_.is_draining();
  auto& reader = connection_.reader();
  if (!reader.is_on_fast_path()) bufferevent_disable(socket_.buffer(), EV_READ);
  const auto length = http::length_of(body);
  const auto framing = framing_for(response.status, length);
  response_.status = response.status;
  response_.has_no_body = response_.has_no_body || framing.kind == Framing::Kind::none;
  if (response_.has_no_body) body = std::monostate{};
  response_.body_bytes = response_.has_no_body ? 0 : length;
  const auto& head = server_.response_head().write(response.status, response.headers, framing);
  const auto sent = socket_.unsent() == 0 ? socket_.send(head, body) : 0;
  if (reader.is_on_fast_path() && sent == head.size() + response_.body_bytes) {
    reader.finish_fast_request();
    if (response_.body_bytes >= kWatchedBytes) watch();
    return connection_.complete_exchange();
  }
  if (!reader.move_to_evhttp()) return;
  if (sent < head.size()) append_bytes(socket_.output(), std::string_view(head).substr(sent));
  const auto body_sent = sent > head.size() ? sent - head.size() : 0;
  if (body_sent < response_.body_bytes) append(std::move(body), body_sent);
  end_response();
}

void ResponseWriter::send_rejection(RejectReason reason) {
  const auto response = refusal_response(reason);
  const auto* text = std::get_if<std::string>(&response.body);
  Framing framing;
  framing.length = text ? text->size() : 0;
  framing.close = true;
  const auto& head = server_.response_head().write(response.status, response.headers, framing);
  // When nothing is queued, the socket accepts the response. It must not be queued, because evhttp's write callback
  // would end a request.
  if (socket_.unsent() == 0) socket_.send(head, response.body);
}

// --- Streamed responses

void ResponseWriter::begin(const http::Response& head, http::Body&& first, std::optional<std::uint64_t> length) {
  if (!connection_.reader().move_to_evhttp()) return;
  append_interim_rest();
  apply_pace();
  persistence_.closes = persistence_.closes || server_.is_draining();
  const auto framing = framing_for(head.status, length);
  persistence_.closes = persistence_.closes || framing.kind == Framing::Kind::until_close;
  response_.status = head.status;
  response_.has_no_body = response_.has_no_body || framing.kind == Framing::Kind::none;
  response_.is_chunked = framing.kind == Framing::Kind::chunked;
  response_.has_length = framing.kind == Framing::Kind::length;
  response_.left = length.value_or(0);
  connection_.set_phase(ConnectionPhase::streaming);
  const auto& text = server_.response_head().write(head.status, head.headers, framing);
  if (response_.has_no_body) {
    // finish() sends the head.
    return append_bytes(socket_.output(), text);
  }
  // The only way to give evhttp the callback that runs when the output buffer is empty.
  const std::unique_ptr<evbuffer, void (*)(evbuffer*)> part(evbuffer_new(), evbuffer_free);
  if (!part) base::out_of_memory();
  append_bytes(part.get(), text);
  evhttp_send_reply_chunk_with_cb(connection_.request(), part.get(), on_streamed, this);
  bufferevent_disable(socket_.buffer(), EV_WRITE);
  watch();
  append_part(std::move(first));
  flush();
}

void ResponseWriter::write(http::Body&& part) {
  if (response_.has_no_body) return;
  append_part(std::move(part));
  flush();
}

void ResponseWriter::append_part(http::Body&& part) {
  auto length = http::length_of(part);
  if (length == 0) return;
  if (response_.has_length && length > response_.left) {
    // The client would read bytes beyond the announced length as the next response.
    persistence_.closes = true;
    length = response_.left;
    shorten(part, length);
    if (length == 0) return;
  }
  if (response_.has_length) response_.left -= length;
  response_.body_bytes += length;
  if (response_.is_chunked) {
    char size[18];
    auto* end = std::to_chars(size, size + 16, length, 16).ptr;
    *end++ = '\r';
    *end++ = '\n';
    append_bytes(socket_.output(), {size, static_cast<std::size_t>(end - size)});
  }
  append(std::move(part), 0);
  if (response_.is_chunked) append_bytes(socket_.output(), "\r\n");
}

void ResponseWriter::append(http::Body&& body, std::uint64_t skip) {
  if (const auto* slice = std::get_if<base::FileSlice>(&body)) response_.file = slice->file;
  append_body(socket_.output(), std::move(body), skip);
}

/// Sends the bytes that the kernel accepts at once, which avoids a wake-up of the loop and an epoll_ctl call.
void ResponseWriter::flush() {
  // WHY: not while the loop waits to write. The loop may already have an event that the socket is writable, and
  // libevent takes the result 0 of a sendfile on a socket that is full again for an end of file.
  if ((bufferevent_get_enabled(socket_.buffer()) & EV_WRITE) != 0) return;
  socket_.send_queued();
  const bool is_due = response_.on_drained && socket_.unsent() <= response_.low_water;
  if (socket_.unsent() != 0 || is_due) bufferevent_enable(socket_.buffer(), EV_WRITE);
}

void ResponseWriter::on_streamed(evhttp_connection*, void* arg) noexcept {
  auto* self = static_cast<ResponseWriter*>(arg);
  auto* buffer = self->socket_.buffer();
  if (self->unsent() == 0) bufferevent_disable(buffer, EV_WRITE);
  if (!self->response_.on_drained || self->unsent() > self->response_.low_water) return;
  bufferevent_setwatermark(buffer, EV_WRITE, 0, 0);
  self->connection_.guarded([ready = std::exchange(self->response_.on_drained, nullptr)] { ready(); });
}

std::uint64_t ResponseWriter::unsent() const { return socket_.unsent(); }

void ResponseWriter::when_drained(std::uint64_t low_water, std::function<void()> ready) {
  response_.low_water = low_water;
  response_.on_drained = std::move(ready);
  bufferevent_setwatermark(socket_.buffer(), EV_WRITE, low_water, 0);
}

void ResponseWriter::finish() {
  if (response_.has_length && !response_.has_no_body && response_.left != 0) return connection_.cut();
  response_.on_drained = nullptr;
  bufferevent_setwatermark(socket_.buffer(), EV_WRITE, 0, 0);
  bufferevent_disable(socket_.buffer(), EV_READ);
  if (response_.is_chunked && !response_.has_no_body) append_bytes(socket_.output(), "0\r\n\r\n");
  flush();
  end_response();
}

void ResponseWriter::end_response() {
  connection_.set_phase(ConnectionPhase::sending);
  const bool is_all_accepted = socket_.unsent() == 0;
  if (!is_all_accepted || response_.body_bytes >= kWatchedBytes) watch();
  if (!is_all_accepted) bufferevent_enable(socket_.buffer(), EV_WRITE);
  DestructionGuard guard(connection_.destruction_flag());
  // When nothing is queued, evhttp ends the request inside this call and may free the connection.
  evhttp_send_reply_end(connection_.request());
  if (guard.is_destroyed()) return;
  if (connection_.phase() == ConnectionPhase::idle && socket_.buffered_input() == 0)
    connection_.reader().start_fast_path();
}

// --- The send rate

/// WHY: the kernel limits the rate. This costs no memory, because unsent bytes stay in the file or in buffers that all
/// readers share.
void ResponseWriter::apply_pace() {
  const auto& limits = server_.limits();
  auto pace = static_cast<std::uint64_t>(limits.max_send_rate_bps);
  // A client must not be cut as too slow because of its pace.
  const auto requested = std::max(requested_pace_bps_, 2 * static_cast<std::uint64_t>(limits.min_send_rate_bps));
  if (requested_pace_bps_ > 0 && (pace == 0 || requested < pace)) pace = requested;
  requested_pace_bps_ = 0;
  if (pace == pace_bps_) return;
  pace_bps_ = pace;
  socket_.set_pace(pace);
}

void ResponseWriter::watch() {
  if (is_watched_) return;
  is_watched_ = true;
  server_.watch(connection_);
}

bool ResponseWriter::is_too_slow(base::SteadyTime now, const SendRate& rate) {
  const auto in_kernel = socket_.unacknowledged_bytes();
  const auto waiting = in_kernel + socket_.unsent();
  const auto accepted = socket_.accepted_bytes();
  const bool is_slow = rate_watch_.is_too_slow(now, accepted - std::min(accepted, in_kernel), waiting, rate);
  const auto phase = connection_.phase();
  if (waiting == 0 && phase != ConnectionPhase::sending && phase != ConnectionPhase::streaming) {
    rate_watch_.reset();
    is_watched_ = false;
  }
  return is_slow;
}

// --- The end

std::uint64_t ResponseWriter::body_bytes_sent(bool is_complete) const {
  const auto waiting = is_complete ? 0 : socket_.unsent();
  return response_.body_bytes - std::min<std::uint64_t>(response_.body_bytes, waiting);
}

void ResponseWriter::report_unreadable_file() const {
  // libevent ends the connection inside the call whose sendfile failed, so errno is still that of the disk.
  if (errno == EIO && response_.file && socket_.unsent() != 0) response_.file->report_unreadable();
}

}  // namespace tribune::net
