#include "net/client/http_client_transfer.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "net/client/http_client_curl.h"

namespace tribune::net {
namespace {

using base::ErrorKind;
using base::Fault;

/// The body of a redirect is read to its end, so that the connection can be kept, up to this size.
constexpr std::uint64_t kMaxRedirectBodyBytes = 64 * 1024;

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool is_get_or_head(http::Method method) { return method == http::Method::get || method == http::Method::head; }

/// Errors: forbidden for a scheme other than http and https, otherwise those of the parser.
base::Result<http::Uri> destination(const http::Uri* from, std::string_view text) {
  const auto scheme = http::scheme_of(text);
  if (scheme && *scheme != "http" && *scheme != "https") {
    return base::failure(ErrorKind::forbidden, Fault::origin, "the scheme " + *scheme + " is neither http nor https");
  }
  return from != nullptr ? http::resolve_as_written(*from, text) : http::parse_as_written(text);
}

/// Whether libcurl reports the end of the connection, not an invalid response.
bool is_end_of_connection(CURLcode code) {
  return code == CURLE_OK || code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_PARTIAL_FILE;
}

std::string milliseconds_text(std::chrono::milliseconds time) { return std::to_string(time.count()) + " ms"; }

}  // namespace

FetchToken::~FetchToken() {
  if (transfer_ != nullptr) transfer_->cancel();
}

void FetchToken::resume() {
  if (transfer_ != nullptr) transfer_->resume();
}

void Transfer::cancel() { client_.cancel(*this); }

void Transfer::begin() {
  total_ = client_.loop.after(request_.deadlines.total, [this] {
    fail(error(ErrorKind::timeout, is_safe_to_repeat(),
               "not finished within " + milliseconds_text(request_.deadlines.total)));
  });
  const auto uri = destination(nullptr, request_.url);
  if (!uri) return fail_later(uri.error());
  set_uri(*uri);
}

void Transfer::set_uri(const http::Uri& uri) {
  uri_ = uri;
  state_ = State::resolving;
  validator_ = ResponseFramingValidator(request_.method);
  resolving_began_ = client_.clock.steady_now();
  if (auto allowed = check_origin(request_.destinations, uri_); !allowed) return fail_later(std::move(allowed.error()));
  if (is_literal_address(uri_.host)) {
    if (auto allowed = check_address(request_.destinations, uri_, uri_.host); !allowed)
      return fail_later(std::move(allowed.error()));
    return on_addresses({});
  }
  if (const auto known = client_.addresses.find(uri_.host)) return on_addresses(*known);
  arm(request_.deadlines.connect,
      "the host name was not resolved within " + milliseconds_text(request_.deadlines.connect));
  look_up_ = client_.addresses.look_up(uri_.host, [this](const base::Result<DnsCache::Addresses>& found) {
    if (found) return on_addresses(*found);
    fail(error(found.error().kind, true, found.error().text));
  });
}

void Transfer::on_addresses(const DnsCache::Addresses& found) {
  addresses_.clear();
  base::Status allowed;
  for (const auto& address : found) {
    allowed = check_address(request_.destinations, uri_, address);
    if (allowed) addresses_.push_back(address);
  }
  if (addresses_.empty() && !found.empty()) return fail_later(std::move(allowed.error()));
  resolving_took_ =
      std::chrono::duration_cast<std::chrono::milliseconds>(client_.clock.steady_now() - resolving_began_);
  state_ = State::queued;
  arm(request_.deadlines.first_byte,
      "no connection was free within " + milliseconds_text(request_.deadlines.first_byte));
  client_.enqueue(*this);
}

void Transfer::fail_later(base::Error why) {
  deferred_failure_ = client_.loop.after(std::chrono::milliseconds{0}, [this, why] { fail(why); });
}

void Transfer::fail(base::Error why) {
  if (state_ == State::connecting) client_.addresses.refresh(uri_.host);
  client_.finish(*this, tl::unexpected(std::move(why)));
}

void Transfer::arm(std::chrono::milliseconds wait, std::string what) {
  deadline_ = client_.loop.after(
      wait, [this, what = std::move(what)] { fail(error(ErrorKind::timeout, is_safe_to_repeat(), what)); });
}

void Transfer::watch_speed() {
  window_bytes_ = 0;
  if (request_.deadlines.low_speed_bytes == 0) return deadline_.cancel();
  arm(request_.deadlines.low_speed_window, "fewer than " + std::to_string(request_.deadlines.low_speed_bytes) +
                                               " bytes of the body within " +
                                               milliseconds_text(request_.deadlines.low_speed_window));
}

void Transfer::watch_stall() {
  const auto& most = request_.deadlines.stall;
  if (most.count() == 0) return;
  stall_ = client_.loop.after(most, [this, most] {
    fail(error(ErrorKind::timeout, is_safe_to_repeat(), "no byte of the body within " + milliseconds_text(most)));
  });
}

base::Error Transfer::error(ErrorKind kind, bool may_retry, std::string_view what) const {
  return {kind, Fault::origin, may_retry, uri_.host + ':' + std::to_string(uri_.port) + ": " + std::string(what)};
}

bool Transfer::is_safe_to_repeat() const {
  return is_get_or_head(request_.method) || request_.may_repeat || state_ <= State::connecting;
}

// The head.

base::Status Transfer::take_head() {
  client_.metrics.first_byte.observe(std::chrono::duration<double>(client_.clock.steady_now() - sent_at_).count());
  if (!validator_.has_body() || validator_.content_length() == 0U) check_for_excess();
  const auto redirects = take_redirect();
  if (!redirects) return tl::unexpected(redirects.error());
  if (*redirects) return {};
  if (auto decoder = choose_decoder(); !decoder) return decoder;
  const auto length = validator_.content_length();
  if (validator_.has_body() && length && *length > request_.max_body_bytes) {
    return tl::unexpected(error(ErrorKind::too_large, false,
                                "the response body exceeds " + std::to_string(request_.max_body_bytes) + " bytes"));
  }
  state_ = State::receiving;
  watch_speed();
  watch_stall();
  FetchHead head{validator_.status(), validator_.headers(), uri_, length, validator_.ends_with_connection()};
  if (gunzip_) {
    head.content_length.reset();
    head.headers.remove("Content-Encoding");
    head.headers.remove("Content-Length");
  }
  const CurlClient::CallbackScope scope(client_);
  if (handlers_.on_head) handlers_.on_head(head);
  if (is_cancelled_) return tl::unexpected(error(ErrorKind::cancelled, true, "cancelled"));
  return {};
}

base::Status Transfer::take_interim() {
  if (!handlers_.on_interim || validator_.interim_status() == 100)
    return {};  // 100 is a response to Expect, which is not sent
  const CurlClient::CallbackScope scope(client_);
  handlers_.on_interim(validator_.interim_status(), validator_.interim_fields());
  if (is_cancelled_) return tl::unexpected(error(ErrorKind::cancelled, true, "cancelled"));
  return {};
}

base::Result<bool> Transfer::take_redirect() {
  const auto location = validator_.headers().first("Location");
  if (request_.max_redirects <= 0 || !is_redirect(validator_.status()) || !location || !is_get_or_head(request_.method))
    return false;
  if (++redirects_ > request_.max_redirects) {
    return tl::unexpected(
        error(ErrorKind::protocol, false, "over " + std::to_string(request_.max_redirects) + " redirects"));
  }
  const auto next = destination(&uri_, *location);
  if (next) {
    redirect_to_ = *next;
    return true;
  }
  const auto kind = next.error().kind == ErrorKind::forbidden ? ErrorKind::forbidden : ErrorKind::protocol;
  return tl::unexpected(
      error(kind, false, "the response redirects to a destination that is not allowed: " + next.error().text));
}

void Transfer::follow_redirect() {
  client_.detach(*this);
  easy_.reset();
  const auto next = *std::exchange(redirect_to_, std::nullopt);
  if (next.origin() != uri_.origin()) {
    request_.headers.remove("Authorization");
    request_.headers.remove("Cookie");
  }
  set_uri(next);
}

base::Status Transfer::choose_decoder() {
  if (!request_.accept_gzip || !validator_.has_body()) return {};
  const auto coding = validator_.headers().joined("Content-Encoding").value_or("identity");
  if (http::equals_ignoring_case(coding, "identity") || coding.empty()) return {};
  if (!http::equals_ignoring_case(coding, "gzip") && !http::equals_ignoring_case(coding, "x-gzip")) {
    return tl::unexpected(
        error(ErrorKind::protocol, false, "the response has a content coding that was not requested"));
  }
  gunzip_.emplace();
  return {};
}

// The body.

std::size_t Transfer::take_body(std::string_view bytes) {
  if (is_cancelled_ || refusal_) return 0;
  if (!validator_.has_whole_head()) {
    refusal_ = error(ErrorKind::protocol, false, "a response body without a response head");
    return 0;
  }
  if (redirect_to_) {
    return raw_body_bytes_ > kMaxRedirectBodyBytes ? 0 : bytes.size();
  }
  if (gunzip_) return take_gzip(bytes);
  const auto flow = deliver(bytes);
  if (!flow) {
    refusal_ = flow.error();
    return 0;
  }
  return *flow == Flow::pause ? CURL_WRITEFUNC_PAUSE : bytes.size();
}

std::size_t Transfer::take_gzip(std::string_view bytes) {
  // libcurl keeps the bytes that are not accepted, so that at most one decoded piece is in memory.
  if (is_paused_) return CURL_WRITEFUNC_PAUSE;
  gunzip_->feed(bytes);
  const auto flow = deliver_decoded();
  if (flow) return bytes.size();
  refusal_ = flow.error();
  return 0;
}

base::Result<Flow> Transfer::deliver_decoded() {
  while (true) {
    if (undelivered_.empty()) {
      const auto piece = gunzip_->next();
      if (!piece) return tl::unexpected(error(piece.error().kind, false, piece.error().text));
      if (piece->empty()) return Flow::go_on;
      undelivered_ = *piece;
    }
    const auto flow = deliver(undelivered_);
    if (!flow || *flow == Flow::pause) return flow;
    undelivered_.clear();
  }
}

base::Result<Flow> Transfer::deliver(std::string_view bytes) {
  if (delivered_bytes_ + bytes.size() > request_.max_body_bytes) {
    return tl::unexpected(error(ErrorKind::too_large, false,
                                "the response body exceeds " + std::to_string(request_.max_body_bytes) + " bytes"));
  }
  const CurlClient::CallbackScope scope(client_);
  const auto flow = handlers_.on_body ? handlers_.on_body(bytes) : Flow::go_on;
  if (is_cancelled_) return tl::unexpected(error(ErrorKind::cancelled, true, "cancelled"));
  if (flow == Flow::pause) {
    is_paused_ = true;
    deadline_.cancel();  // the reader's time does not count against the origin
    stall_.cancel();
    return flow;
  }
  delivered_bytes_ += bytes.size();
  window_bytes_ += bytes.size();
  if (window_bytes_ >= request_.deadlines.low_speed_bytes) watch_speed();
  watch_stall();
  return flow;
}

void Transfer::resume() {
  // May be called inside on_body, before it has returned `pause`.
  resume_ = client_.loop.after(std::chrono::milliseconds{0}, [this] { on_resume(); });
}

void Transfer::on_resume() {
  if (!std::exchange(is_paused_, false)) return;
  if (state_ == State::receiving) {
    watch_speed();
    watch_stall();
  }
  if (gunzip_) {
    base::Result<Flow> flow = Flow::go_on;
    {
      const CurlClient::CallbackScope scope(client_);
      flow = deliver_decoded();
      if (is_cancelled_) return;
    }
    if (!flow) return fail(flow.error());
    if (*flow == Flow::pause) return;
  }
  if (state_ == State::draining) return client_.finish(*this, decoded_whole());
  client_.multi_.unpause(easy_.get());
}

// The end.

void Transfer::on_complete(CURLcode code) {
  if (redirect_to_ && validator_.has_whole_head()) return follow_redirect();
  if (auto ok = verdict(code); !ok) {
    if (state_ == State::connecting) client_.addresses.refresh(uri_.host);
    return client_.finish(*this, std::move(ok));
  }
  if (gunzip_ && is_paused_) {
    state_ = State::draining;
    return client_.detach(*this);
  }
  client_.finish(*this, decoded_whole());
}

base::Status Transfer::decoded_whole() const {
  if (!gunzip_ || gunzip_->is_complete()) return {};
  return tl::unexpected(error(ErrorKind::protocol, true, "the gzip body of the response was truncated"));
}

base::Status Transfer::verdict(CURLcode code) {
  if (refusal_) return tl::unexpected(*refusal_);
  const bool is_head_cut = validator_.has_begun() && !validator_.has_whole_head() && is_end_of_connection(code);
  if (is_head_cut)
    return tl::unexpected(error(ErrorKind::protocol, is_safe_to_repeat(), "the response head was truncated"));
  if (code != CURLE_OK) return tl::unexpected(error_of(code));
  if (!validator_.has_whole_head())
    return tl::unexpected(error(ErrorKind::protocol, is_safe_to_repeat(), "no response head"));
  if (has_excess_bytes_ && !request_.drops_surplus)
    return tl::unexpected(error(ErrorKind::protocol, false, "the response body is longer than its declared length"));
  return {};
}

void Transfer::check_for_excess() {
  if (!validator_.is_http1() || has_excess_bytes_) return;
  const bool is_beyond = validator_.has_body() && raw_body_bytes_ > validator_.content_length().value_or(0);
  // libcurl reads up to the announced length only, so that the rest of a longer body is still in the kernel.
  if (is_beyond || has_unread_bytes()) on_excess();
}

bool Transfer::has_unread_bytes() const {
  // With TLS the bytes may be other records than data.
  char byte = 0;
  return uri_.scheme == "http" && fd_ >= 0 && ::recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

bool Transfer::avoid_connection_with_unread_bytes() {
  if (!has_unread_bytes()) return true;
  // Bytes that the origin sent before the request would be read as its response. When they are dropped and the socket
  // is shut down, sending fails and libcurl uses a new connection.
  constexpr int kMostReads = 64;
  std::array<char, 16 * 1024> dropped;
  ::shutdown(fd_, SHUT_RDWR);
  for (int i = 0; i < kMostReads; ++i)
    if (::recv(fd_, dropped.data(), dropped.size(), MSG_DONTWAIT) <= 0) return true;
  refusal_ = error(ErrorKind::protocol, false, "the origin keeps sending data without a request");
  return false;
}

void Transfer::on_excess() {
  has_excess_bytes_ = true;
  if (fd_ >= 0) ::shutdown(fd_, SHUT_RDWR);  // the connection must not be used again
}

base::Error Transfer::error_of(CURLcode code) const {
  const bool may_retry = is_safe_to_repeat();
  long os_error = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_OS_ERRNO, &os_error);
  std::string cause = error_text_[0] != '\0' ? error_text_ : curl_easy_strerror(code);
  // A malformed chunk has the same codes as a reset; only the text differs.
  if (cause.find("chunk") != std::string::npos) return error(ErrorKind::protocol, false, cause);
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST: return error(ErrorKind::unavailable, true, cause);
    case CURLE_COULDNT_CONNECT:
      return error(os_error == ECONNREFUSED ? ErrorKind::refused : ErrorKind::unavailable, true,
                   os_error != 0 ? "cannot connect: " + std::string(std::strerror(static_cast<int>(os_error))) : cause);
    case CURLE_OPERATION_TIMEDOUT: return error(ErrorKind::timeout, may_retry, cause);
    case CURLE_GOT_NOTHING:
      return error(ErrorKind::protocol, may_retry, "the connection was closed without a response");
    case CURLE_PARTIAL_FILE: return error(ErrorKind::protocol, may_retry, "the response body was truncated");
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
      // A reset after the request was sent is a truncated response, even when no byte of it arrived.
      return error(state_ >= State::sent ? ErrorKind::protocol : ErrorKind::unavailable, may_retry, cause);
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM: return error(ErrorKind::protocol, may_retry, cause);
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR: return error(ErrorKind::protocol, false, cause);
    case CURLE_OUT_OF_MEMORY:
      // libcurl also returns this for a header line over 100 KiB.
      if (state_ == State::sent)
        return error(ErrorKind::protocol, false, "a header field of the response exceeds its size limit");
      [[fallthrough]];
    case CURLE_FAILED_INIT: return {ErrorKind::internal, Fault::tribune, true, cause};
    default: return error(ErrorKind::unavailable, may_retry, cause);
  }
}

}  // namespace tribune::net
