#include "net/server/request_reader.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "net/listening_sockets.h"
#include "net/server/evhttp_request.h"
#include "net/server/fast_request_parser.h"
#include "net/server/http_connection.h"
#include "net/server/http_server_core.h"
#include "net/server/proxy_protocol.h"

namespace tribune::net {
namespace {

constexpr std::uint64_t kReadSlack = 16 * 1024;           // may be read beyond the message that is being validated
constexpr std::uint64_t kMaxDiscardedBytes = 256 * 1024;  // a rejected client may send this much more

}  // namespace

void RequestReader::FreeEvent::operator()(event* e) const { event_free(e); }

RequestReader::RequestReader(HttpConnection& connection)
    : connection_(connection),
      server_(connection.server()),
      socket_(connection.socket()),
      client_(connection.client()),
      validator_(server_.framing_limits()) {}

RequestReader::~RequestReader() {
  if (input_entry_ != nullptr) evbuffer_remove_cb_entry(socket_.input(), input_entry_);
}

void RequestReader::start() {
  input_entry_ = evbuffer_add_cb(socket_.input(), on_input, this);
  set_read_limit(server_.limits().max_head_bytes);
  if (!client_.awaits_proxy_header()) start_fast_path();
}

void RequestReader::set_read_limit(std::uint64_t bytes) {
  bufferevent_setwatermark(socket_.buffer(), EV_READ, 0, bytes + kReadSlack);
}

// --- Bytes in evhttp's input buffer

void RequestReader::on_input(evbuffer*, const evbuffer_cb_info* info, void* arg) noexcept {
  auto* self = static_cast<RequestReader*>(arg);
  if (self->is_own_change_) return;
  self->validated_ -= std::min<std::uint64_t>(self->validated_, info->n_deleted);
  if (info->n_added != 0) self->connection_.guarded([self] { self->on_bytes(); });
}

void RequestReader::on_bytes() {
  switch (connection_.phase()) {
    case ConnectionPhase::fresh:
      if (client_.awaits_proxy_header() && !read_proxy_header()) return;
      return validate_input();
    case ConnectionPhase::idle:
    case ConnectionPhase::head:
    case ConnectionPhase::body: return validate_input();
    case ConnectionPhase::lingering: return drop_input();
    default: return;  // pipelined: validated after the current response
  }
}

void RequestReader::discard() {
  stop_fast_path();
  drop_input();
}

void RequestReader::drop_input() {
  {
    const OwnChange own(*this);
    discarded_ += socket_.buffered_input();
    evbuffer_drain(socket_.input(), socket_.buffered_input());
  }
  validated_ = 0;
  // The server's sweep closes the connection.
  if (discarded_ > kMaxDiscardedBytes) bufferevent_disable(socket_.buffer(), EV_READ);
}

/// True when the header is complete, or absent where it may be absent.
bool RequestReader::read_proxy_header() {
  const auto size = socket_.buffered_input();
  const auto before = proxy_header_.size();
  proxy_header_.resize(before + size);
  {
    const OwnChange own(*this);
    evbuffer_remove(socket_.input(), proxy_header_.data() + before, size);
  }
  const auto header = net::read_proxy_header(proxy_header_);
  if (header.state == ProxyHeader::State::incomplete) return false;
  if (header.state == ProxyHeader::State::invalid && !ListeningSockets::of_process().has_other_end_of(socket_.fd())) {
    connection_.reject(RejectReason::proxy_header_invalid);
    return false;
  }
  const auto bytes = std::exchange(proxy_header_, {});
  if (const auto reason = client_.apply_proxy_header(header)) {
    connection_.reject(*reason);
    return false;
  }
  const OwnChange own(*this);
  evbuffer_add(socket_.input(), bytes.data() + header.length, bytes.size() - header.length);
  return true;
}

void RequestReader::validate_input() {
  while (validate_once()) {
  }
  if (auto method = validator_.take_other_method(); !method.empty()) replace_method(std::move(method));
  const auto phase = connection_.phase();
  if (phase == ConnectionPhase::lingering || !validator_.begun()) return;
  if (validator_.in_body() && phase != ConnectionPhase::body) {
    connection_.set_phase(ConnectionPhase::body);
    // evhttp leaves a body in the input buffer until it is complete.
    set_read_limit(server_.limits().max_body_bytes + server_.limits().max_head_bytes);
  } else if (phase == ConnectionPhase::fresh || phase == ConnectionPhase::idle) {
    connection_.set_phase(ConnectionPhase::head);
  }
}

/// Validates up to four extents of the input buffer. True when more may be left.
bool RequestReader::validate_once() {
  auto* bytes = socket_.input();
  if (validator_.complete() || validated_ >= evbuffer_get_length(bytes)) return false;
  evbuffer_ptr start;
  evbuffer_ptr_set(bytes, &start, validated_, EVBUFFER_PTR_SET);
  constexpr int kExtents = 4;
  evbuffer_iovec extents[kExtents];
  const int count = std::min(evbuffer_peek(bytes, -1, &start, extents, kExtents), kExtents);
  for (int i = 0; i < count; ++i) {
    const auto progress = validator_.feed(static_cast<char*>(extents[i].iov_base), extents[i].iov_len);
    validated_ += progress.used;
    switch (progress.step) {
      case RequestFramingValidator::Step::more: break;
      case RequestFramingValidator::Step::empty_line: {
        const OwnChange own(*this);
        evbuffer_drain(bytes, validated_);
        validated_ = 0;
        return true;
      }
      case RequestFramingValidator::Step::complete: return false;
      case RequestFramingValidator::Step::refused: connection_.reject(validator_.refusal()); return false;
    }
  }
  return count > 0;
}

/// evhttp rejects a method that it does not know without reading the body. It receives the name of a method that may
/// have a body instead.
void RequestReader::replace_method(std::string method) {
  if (connection_.phase() == ConnectionPhase::lingering) return;
  constexpr std::string_view kKnown = "POST";
  {
    const OwnChange own(*this);
    evbuffer_drain(socket_.input(), method.size());
    evbuffer_prepend(socket_.input(), kKnown.data(), kKnown.size());
  }
  validated_ = validated_ - method.size() + kKnown.size();
  other_method_ = std::move(method);
}

void RequestReader::on_evhttp_request(evhttp_request* request) {
  connection_.attach(request);
  if (is_on_fast_path()) {  // move_to_evhttp(): the handler already has it
    fast_head_ = {};
    return;
  }
  connection_.begin_exchange();
  if (validator_.in_body() || !validator_.complete() || validated_ != 0) {
    // evhttp and the validator disagree about the end of the message: neither this request nor the following bytes are
    // valid.
    server_.count_rejection(RejectReason::framing_disagreement, client_.text());
    return connection_.cut();
  }
  set_read_limit(server_.limits().max_head_bytes);
  auto& persistence = connection_.writer().persistence();
  auto converted = convert_request(*request, validator_.fields(), persistence);
  if (!other_method_.empty()) {
    converted.method = http::Method::other;
    converted.other_method = std::exchange(other_method_, {});
  }
  converted.client = client_.text();
  converted.client_port = client_.port();
  if (connection_.is_last_request()) persistence.closes = true;
  if (converted.method == http::Method::head) connection_.writer().omit_body();
  const char* target = evhttp_request_get_uri(request);
  connection_.handle(std::move(converted), target != nullptr ? target : "");
}

void RequestReader::detect_disconnect() {
  // evhttp has stopped reading. Reading continues without its read callback, which must not run before the response.
  bufferevent_data_cb on_written = nullptr;
  bufferevent_event_cb on_event = nullptr;
  void* argument = nullptr;
  bufferevent_getcb(socket_.buffer(), nullptr, &on_written, &on_event, &argument);
  bufferevent_setcb(socket_.buffer(), nullptr, on_written, on_event, argument);
  bufferevent_enable(socket_.buffer(), EV_READ);
}

// --- The fast path

void RequestReader::start_fast_path() {
  if (!readable_)
    readable_.reset(
        event_new(bufferevent_get_base(socket_.buffer()), socket_.fd(), EV_READ | EV_PERSIST, on_readable, this));
  if (!readable_) return;  // evhttp continues to read
  bufferevent_disable(socket_.buffer(), EV_READ);
  event_add(readable_.get(), nullptr);
}

void RequestReader::stop_fast_path() {
  if (!readable_ || event_pending(readable_.get(), EV_READ, nullptr) == 0) return;
  event_del(readable_.get());
  bufferevent_enable(socket_.buffer(), EV_READ);
}

void RequestReader::on_readable(int, short, void* arg) noexcept {
  auto* self = static_cast<RequestReader*>(arg);
  auto& buffer = self->server_.fast_read_buffer();
  const auto size = self->socket_.receive(buffer.data(), buffer.size());
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (size <= 0) return self->connection_.close();  // the client closed an idle connection
  self->connection_.guarded([&] { self->read_fast(buffer.data(), static_cast<std::size_t>(size)); });
}

void RequestReader::read_fast(char* bytes, std::size_t size) {
  const std::string_view head(bytes, size);
  // The last request of a connection, or of a draining server, closes the connection, which evhttp implements.
  const bool is_last = server_.is_draining() || connection_.is_next_request_last();
  if (is_last || !looks_like_plain_head(head)) return pass_to_evhttp(head, 0);
  const auto progress = validator_.feed(bytes, size);
  if (progress.step == RequestFramingValidator::Step::refused) return connection_.reject(validator_.refusal());
  http::Request request;
  const bool is_whole = progress.step == RequestFramingValidator::Step::complete && progress.used == size;
  const auto target = is_whole ? read_plain_head(head, request) : std::nullopt;
  if (!target) return pass_to_evhttp(head, progress.used);

  fast_head_ = head;
  connection_.writer().persistence() = {};
  request.client = client_.text();
  request.client_port = client_.port();
  connection_.begin_exchange();
  connection_.handle(std::move(request), *target);
}

/// Puts bytes into evhttp's input buffer, the first `validated` of which are validated, and lets evhttp read.
void RequestReader::pass_to_evhttp(std::string_view bytes, std::uint64_t validated) {
  stop_fast_path();
  {
    const OwnChange own(*this);
    evbuffer_unfreeze(socket_.input(), 0);
    evbuffer_add(socket_.input(), bytes.data(), bytes.size());
    evbuffer_freeze(socket_.input(), 0);
  }
  validated_ = validated;
  if (!is_on_fast_path()) validate_input();
  if (connection_.phase() != ConnectionPhase::lingering) bufferevent_trigger(socket_.buffer(), EV_READ, 0);
}

bool RequestReader::move_to_evhttp() {
  if (!is_on_fast_path()) return true;
  DestructionGuard guard(connection_.destruction_flag());
  pass_to_evhttp(fast_head_, fast_head_.size());  // evhttp calls on_evhttp_request()
  if (!guard.is_destroyed() && (connection_.request() == nullptr || validated_ != 0)) {
    // evhttp and the validator disagree, and the handler already has the request.
    server_.count_rejection(RejectReason::framing_disagreement, client_.text());
    connection_.cut();
  }
  return !guard.is_destroyed();
}

}  // namespace tribune::net
