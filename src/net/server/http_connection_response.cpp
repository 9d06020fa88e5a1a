// From the handler's answer to the kernel.
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <exception>
#include <new>

#include "http/problem.h"
#include "net/server/http_connection.h"
#include "net/server/http_exchange.h"
#include "net/server/http_server_core.h"

namespace tribune::net {
namespace {

constexpr std::uint64_t kMaxFilePart = 1ull << 30;  // sendfile and evbuffer count in less than 2 GiB
constexpr std::uint64_t kWatchedBytes = 64 * 1024;  // a body of this size may sit in the kernel for long
constexpr std::size_t kCopiedBytes = 4 * 1024;      // below, copying costs less than a reference
constexpr int kStatusClientLeft = 499;              // in the access log only; nothing was answered

struct SharedPart {
  base::SharedBytes bytes;
};

std::string_view bytes_of(const http::Body& body) {
  if (const auto* own = std::get_if<std::string>(&body)) return *own;
  if (const auto* shared = std::get_if<base::BytesSlice>(&body)) return shared->view();
  return {};
}

/// libevent says in a result what operator new says by throwing.
void add(evbuffer* out, std::string_view bytes) {
  if (evbuffer_add(out, bytes.data(), bytes.size()) != 0) base::out_of_memory();
}

void queue_shared(evbuffer* out, base::SharedBytes bytes, std::string_view view) {
  if (view.empty()) return;
  if (view.size() < kCopiedBytes) return add(out, view);
  auto* keeper = new SharedPart{std::move(bytes)};
  const auto release = [](const void*, std::size_t, void* part) { delete static_cast<SharedPart*>(part); };
  if (evbuffer_add_reference(out, view.data(), view.size(), release, keeper) == 0) return;
  delete keeper;
  base::out_of_memory();
}

}  // namespace

Framing HttpConnection::framing_for(int status, std::optional<std::uint64_t> length) const {
  Framing framing;
  if (status == 204 || status == 304)
    framing.kind = Framing::Kind::none;
  else if (length)
    framing.length = *length;
  else
    framing.kind = is_http_1_0_ ? Framing::Kind::until_close : Framing::Kind::chunked;
  framing.close = client_closes_ || closes_ || framing.kind == Framing::Kind::until_close;
  framing.keep_alive = keep_alive_1_0_;
  return framing;
}

void HttpConnection::pace(std::uint64_t bits_per_second) { asked_pace_bps_ = bits_per_second; }

/// WHY by the kernel: what waits stays in the file, or in the buffers that all readers share, whatever way it is
/// written.
void HttpConnection::apply_pace() {
  const auto& limits = server_.limits();
  auto pace = static_cast<std::uint64_t>(limits.max_send_rate_bps);
  // A client must not be cut for what it cannot help.
  const auto asked = std::max(asked_pace_bps_, 2 * static_cast<std::uint64_t>(limits.min_send_rate_bps));
  if (asked_pace_bps_ > 0 && (pace == 0 || asked < pace)) pace = asked;
  asked_pace_bps_ = 0;
  if (pace == pace_bps_) return;
  pace_bps_ = pace;
  const unsigned long bytes_per_second = pace == 0 ? ~0ul : static_cast<unsigned long>(pace) / 8;
  ::setsockopt(fd(), SOL_SOCKET, SO_MAX_PACING_RATE, &bytes_per_second, sizeof bytes_per_second);
}

/// It goes to the kernel or not at all: nothing waits for it, and evhttp does not know of such heads.
void HttpConnection::interim(int status, const http::Headers& fields) {
  if (phase_ != ConnectionPhase::handling || is_express() || is_http_1_0_ || !interim_rest_.empty() ||
      evbuffer_get_length(output()) != 0)
    return;
  const auto& head = server_.answer_head().write_interim(status, fields);
  if (const auto sent = send_now(head, {}); sent != 0) interim_rest_ = head.substr(sent);
}

/// What is left of an interim head comes before the answer.
void HttpConnection::queue_interim_rest() {
  if (!interim_rest_.empty()) add(output(), std::exchange(interim_rest_, {}));
}

void HttpConnection::reply(const http::Response& response, http::Body&& body) {
  queue_interim_rest();
  apply_pace();
  keeps_place_ = exchange_ != nullptr && exchange_->keeps_place;
  closes_ = closes_ || server_.is_draining();
  if (!is_express()) bufferevent_disable(buffer_, EV_READ);
  const auto length = http::length_of(body);
  const auto framing = framing_for(response.status, length);
  answer_.status = response.status;
  answer_.is_head = answer_.is_head || framing.kind == Framing::Kind::none;
  if (answer_.is_head) body = std::monostate{};
  answer_.body_bytes = answer_.is_head ? 0 : length;
  const auto& head = server_.answer_head().write(response.status, response.headers, framing);
  const auto sent = evbuffer_get_length(output()) == 0 ? send_now(head, body) : 0;
  if (is_express() && sent == head.size() + answer_.body_bytes) {
    express_head_ = {};
    if (answer_.body_bytes >= kWatchedBytes) watch();
    return answered();
  }
  if (!join_evhttp()) return;
  if (sent < head.size()) add(output(), std::string_view(head).substr(sent));
  const auto body_sent = sent > head.size() ? sent - head.size() : 0;
  if (body_sent < answer_.body_bytes) queue(std::move(body), body_sent);
  end_answer();
}

/// What the kernel takes of head and body at once. Errors are left for the loop to meet.
std::uint64_t HttpConnection::send_now(const std::string& head, const http::Body& body) {
  const auto* file = std::get_if<base::FileSlice>(&body);
  const auto bytes = bytes_of(body);
  iovec parts[2] = {{const_cast<char*>(head.data()), head.size()}, {const_cast<char*>(bytes.data()), bytes.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = bytes.empty() ? 1 : 2;
  const bool more_follows = file != nullptr && file->length != 0;
  const auto written = ::sendmsg(fd(), &message, MSG_NOSIGNAL | MSG_DONTWAIT | (more_follows ? MSG_MORE : 0));
  if (written <= 0) return 0;
  auto sent = static_cast<std::uint64_t>(written);
  if (more_follows && sent == head.size()) {
    auto at = static_cast<off_t>(file->offset);
    for (auto left = file->length; left != 0;) {
      const auto taken = ::sendfile(fd(), file->file->fd(), &at, std::min(left, kMaxFilePart));
      if (taken < 0 && errno == EIO) file->file->report_unreadable();
      if (taken <= 0) break;
      left -= static_cast<std::uint64_t>(taken);
      sent += static_cast<std::uint64_t>(taken);
    }
  }
  taken_ += sent;
  return sent;
}

void HttpConnection::queue(http::Body&& body, std::uint64_t skip) {
  if (auto* own = std::get_if<std::string>(&body)) {
    if (own->size() - skip < kCopiedBytes) return add(output(), std::string_view(*own).substr(skip));
    auto shared = base::share(std::move(*own));
    const auto view = std::string_view(*shared).substr(skip);
    queue_shared(output(), std::move(shared), view);
  } else if (auto* slice = std::get_if<base::BytesSlice>(&body)) {
    const auto view = slice->view().substr(skip);
    queue_shared(output(), std::move(slice->bytes), view);
  } else if (const auto* file = std::get_if<base::FileSlice>(&body)) {
    queue_file(*file, skip);
  }
}

void HttpConnection::queue_file(const base::FileSlice& slice, std::uint64_t skip) {
  using FilePtr = std::shared_ptr<const base::File>;
  answer_.file = slice.file;
  // The connection's output drains to a socket (EVBUFFER_FLAG_DRAINS_TO_FD), so the segment goes out by sendfile.
  for (auto at = skip; at < slice.length;) {
    const auto size = std::min(slice.length - at, kMaxFilePart);
    auto* segment = evbuffer_file_segment_new(slice.file->fd(), static_cast<ev_off_t>(slice.offset + at),
                                              static_cast<ev_off_t>(size), EVBUF_FS_DISABLE_MMAP);
    if (segment == nullptr) base::out_of_memory();
    auto* keeper = new FilePtr(slice.file);
    evbuffer_file_segment_add_cleanup_cb(
        segment, [](const evbuffer_file_segment*, int, void* held) { delete static_cast<FilePtr*>(held); }, keeper);
    // On failure libevent itself lets go of the segment.
    if (evbuffer_add_file_segment(output(), segment, 0, static_cast<ev_off_t>(size)) != 0) base::out_of_memory();
    evbuffer_file_segment_free(segment);
    at += size;
  }
}

void HttpConnection::begin(const http::Response& head, http::Body&& first, std::optional<std::uint64_t> length) {
  if (!join_evhttp()) return;
  queue_interim_rest();
  apply_pace();
  closes_ = closes_ || server_.is_draining();
  const auto framing = framing_for(head.status, length);
  closes_ = closes_ || framing.kind == Framing::Kind::until_close;
  answer_.status = head.status;
  answer_.is_head = answer_.is_head || framing.kind == Framing::Kind::none;
  answer_.is_chunked = framing.kind == Framing::Kind::chunked;
  answer_.has_length = framing.kind == Framing::Kind::length;
  answer_.left = length.value_or(0);
  set_phase(ConnectionPhase::streaming);
  const auto& text = server_.answer_head().write(head.status, head.headers, framing);
  if (answer_.is_head) {
    // No body follows; the head waits for finish().
    return add(output(), text);
  }
  // evhttp's way in for parts: it also takes the callback that runs when they have gone out.
  const std::unique_ptr<evbuffer, void (*)(evbuffer*)> part(evbuffer_new(), evbuffer_free);
  if (!part) base::out_of_memory();
  add(part.get(), text);
  evhttp_send_reply_chunk_with_cb(request_, part.get(), on_streamed, this);
  bufferevent_disable(buffer_, EV_WRITE);
  watch();
  queue_part(std::move(first));
  flush();
}

void HttpConnection::write(http::Body&& part) {
  if (answer_.is_head) return;
  queue_part(std::move(part));
  flush();
}

void HttpConnection::queue_part(http::Body&& part) {
  auto length = http::length_of(part);
  if (length == 0) return;
  if (answer_.has_length && length > answer_.left) {
    // More than was announced would be read as the next answer.
    closes_ = true;
    length = answer_.left;
    if (auto* own = std::get_if<std::string>(&part))
      own->resize(length);
    else if (auto* bytes = std::get_if<base::BytesSlice>(&part))
      bytes->length = length;
    else if (auto* file = std::get_if<base::FileSlice>(&part))
      file->length = length;
    if (length == 0) return;
  }
  if (answer_.has_length) answer_.left -= length;
  answer_.body_bytes += length;
  if (answer_.is_chunked) {
    char size[18];
    auto* end = std::to_chars(size, size + 16, length, 16).ptr;
    *end++ = '\r';
    *end++ = '\n';
    add(output(), {size, static_cast<std::size_t>(end - size)});
  }
  queue(std::move(part), 0);
  if (answer_.is_chunked) add(output(), "\r\n");
}

/// Writes to the kernel at once what it takes: no wake-up, and no call to change what epoll waits for.
void HttpConnection::flush() {
  auto* out = output();
  // WHY: not while the loop waits to write: it may already have been told that the socket has room, and libevent takes
  // the 0 of a sendfile that finds it full again for an end of file.
  if ((bufferevent_get_enabled(buffer_) & EV_WRITE) == 0) {
    evbuffer_unfreeze(out, 1);
    while (evbuffer_get_length(out) != 0 && evbuffer_write(out, fd()) > 0) {
    }
    evbuffer_freeze(out, 1);
    const bool is_due = answer_.on_drained && evbuffer_get_length(out) <= answer_.drained_at;
    if (evbuffer_get_length(out) != 0 || is_due) bufferevent_enable(buffer_, EV_WRITE);
  }
}

void HttpConnection::on_streamed(evhttp_connection*, void* arg) noexcept {
  auto* self = static_cast<HttpConnection*>(arg);
  if (self->unsent() == 0) bufferevent_disable(self->buffer_, EV_WRITE);
  if (!self->answer_.on_drained || self->unsent() > self->answer_.drained_at) return;
  bufferevent_setwatermark(self->buffer_, EV_WRITE, 0, 0);
  self->guarded([ready = std::exchange(self->answer_.on_drained, nullptr)] { ready(); });
}

std::uint64_t HttpConnection::unsent() const { return evbuffer_get_length(output()); }

void HttpConnection::when_drained(std::uint64_t low_water, std::function<void()> ready) {
  answer_.drained_at = low_water;
  answer_.on_drained = std::move(ready);
  bufferevent_setwatermark(buffer_, EV_WRITE, low_water, 0);
}

void HttpConnection::finish() {
  if (answer_.has_length && !answer_.is_head && answer_.left != 0) return cut();
  answer_.on_drained = nullptr;
  bufferevent_setwatermark(buffer_, EV_WRITE, 0, 0);
  bufferevent_disable(buffer_, EV_READ);
  if (answer_.is_chunked && !answer_.is_head) add(output(), "0\r\n\r\n");
  flush();
  end_answer();
}

void HttpConnection::end_answer() {
  set_phase(ConnectionPhase::sending);
  const bool all_taken = evbuffer_get_length(output()) == 0;
  if (!all_taken || answer_.body_bytes >= kWatchedBytes) watch();
  if (!all_taken) bufferevent_enable(buffer_, EV_WRITE);
  bool gone = false;
  auto* outer = std::exchange(destroyed_, &gone);
  // With an empty output evhttp ends the request inside this call and may free the connection, and this with it.
  evhttp_send_reply_end(request_);
  if (gone) {
    if (outer != nullptr) *outer = true;
    return;
  }
  destroyed_ = outer;
  if (phase_ == ConnectionPhase::idle && evbuffer_get_length(input()) == 0) enter_express();
}

void HttpConnection::on_answered(evhttp_request*, void* arg) noexcept {
  auto* self = static_cast<HttpConnection*>(arg);
  self->guarded([self] { self->answered(); });
}

void HttpConnection::answered() {
  report(true);
  request_ = nullptr;
  if (auto* exchange = std::exchange(exchange_, nullptr)) exchange->completed();
  answer_ = {};
  if (client_closes_) return;  // evhttp closes the connection next
  if (closes_ || server_.is_draining()) return linger();
  guard_.next();
  set_phase(ConnectionPhase::idle);
  if (evbuffer_get_length(input()) != 0) scan();
}

void HttpConnection::report(bool completed) {
  const auto& finished = server_.context().on_finished;
  if (!finished) return;
  const auto* kept = answer_.kept.get();
  if (exchange_ == nullptr && kept == nullptr) return;
  const auto waiting = completed ? 0 : evbuffer_get_length(output());
  finished({exchange_ != nullptr ? exchange_->request() : kept->request,
            answer_.status != 0 ? answer_.status : kStatusClientLeft,
            answer_.body_bytes - std::min<std::uint64_t>(answer_.body_bytes, waiting), server_.now() - answer_.began,
            exchange_ != nullptr ? exchange_->note : kept->note, completed});
}

void HttpConnection::abandoned(HttpExchange& exchange) {
  exchange_ = nullptr;
  answer_.kept = std::make_unique<Answer::Kept>(Answer::Kept{exchange.take_request(), std::move(exchange.note)});
  switch (exchange.state()) {
    case HttpExchange::State::received: {
      // While an exception is on its way here, memory has ended: it is the only one.
      auto response = std::uncaught_exceptions() > 0
                          ? http::problem(http::problems::overloaded, "There is no memory for the request.")
                          : http::problem(http::problems::internal, "The request was not answered.");
      response.headers.add(kRequestIdField, answer_.kept->request.headers.first(kRequestIdField).value_or(""));
      reply(response, std::move(response.body));
      return;
    }
    case HttpExchange::State::streaming: cut(); return;
    case HttpExchange::State::answered:
    case HttpExchange::State::gone: return;  // the rest goes out without it
  }
}

}  // namespace tribune::net
