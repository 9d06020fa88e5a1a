// Transfer: the options of its libcurl handle, and the C callbacks.
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "net/client/http_client_curl.h"
#include "net/client/http_client_transfer.h"
#include "net/listening_sockets.h"

namespace tribune::net {
namespace {

/// Fields that libcurl and this client set themselves.
constexpr std::array<std::string_view, 6> kOwnFields{"Host",   "Connection", "Content-Length", "Transfer-Encoding",
                                                     "Expect", "TE"};

bool is_own_field(std::string_view name) {
  return std::any_of(kOwnFields.begin(), kOwnFields.end(),
                     [&](std::string_view own) { return http::equals_ignoring_case(own, name); });
}

bool has_line_break(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

}  // namespace

CURL* Transfer::make_easy() {
  easy_.reset(curl_easy_init());
  auto* easy = easy_.get();
  if (easy == nullptr) return nullptr;
  error_text_[0] = '\0';
  raw_body_bytes_ = 0;
  has_excess_bytes_ = false;
  fd_ = -1;
  is_version_known_ = false;
  sent_line_.clear();
  curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_text_);
  curl_easy_setopt(easy, CURLOPT_URL, uri_.text().c_str());
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  if (redirects_ == 0 && !request_.target.empty() && !has_line_break(request_.target))
    curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, request_.target.c_str());
  else if (uri_.empty_query)
    curl_easy_setopt(easy, CURLOPT_REQUEST_TARGET, uri_.target().c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  // WHY: libcurl would use a proxy from the environment, and the proxy would resolve the names.
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "tribune");
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 128L * 1024);
  const auto connect = std::max(request_.deadlines.connect - resolving_took_, std::chrono::milliseconds{1});
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect.count()));
  curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN,
                   static_cast<long>(std::chrono::ceil<std::chrono::seconds>(client_.settings.keep_idle).count()));
  curl_easy_setopt(
      easy, CURLOPT_MAXLIFETIME_CONN,
      static_cast<long>(std::chrono::ceil<std::chrono::seconds>(client_.settings.max_connection_age).count()));
  const bool is_tls = uri_.scheme == "https";
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, is_tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, is_tls ? 1L : 0L);
  if (!client_.settings.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, client_.settings.ca_file.c_str());
  set_method(easy);
  set_fields(easy);
  set_addresses(easy);
  set_callbacks(easy);
  return easy;
}

std::string Transfer::method_name() const {
  return request_.method == http::Method::other && !request_.other_method.empty()
             ? request_.other_method
             : std::string(http::to_string(request_.method));
}

void Transfer::set_method(CURL* easy) {
  using http::Method;
  if (request_.method == Method::head) {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    return;
  }
  if (request_.method == Method::get) return;
  const bool has_body = !request_.body.empty() || request_.method == Method::post || request_.method == Method::put;
  if (has_body) {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request_.body.data());
  }
  if (request_.method != Method::post) curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method_name().c_str());
  // libcurl repeats any request when a kept connection has ended. Here that must be allowed by the caller.
  if (!request_.may_repeat) curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
}

void Transfer::set_fields(CURL* easy) {
  curl_slist* list = nullptr;
  const auto append = [&](const std::string& line) {
    if (auto* longer = curl_slist_append(list, line.c_str())) list = longer;
  };
  for (const auto& [name, value] : request_.headers.all()) {
    if (is_own_field(name) || has_line_break(name) || has_line_break(value)) continue;
    if (request_.accept_gzip && http::equals_ignoring_case(name, "Accept-Encoding")) continue;
    append(value.empty() ? name + ';' : name + ": " + value);
  }
  if (request_.accept_gzip) append("Accept-Encoding: gzip");
  append("Expect:");
  if (!request_.headers.first("Content-Type")) append("Content-Type:");
  fields_.reset(list);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
}

void Transfer::set_addresses(CURL* easy) {
  resolve_.reset();
  if (addresses_.empty()) return;
  std::string line = uri_.host + ':' + std::to_string(uri_.port) + ':';
  for (const auto& address : addresses_) {
    if (line.back() != ':' || &address != &addresses_.front()) line += ',';
    line += address.find(':') == std::string::npos ? address : '[' + address + ']';
  }
  resolve_.reset(curl_slist_append(nullptr, line.c_str()));
  curl_easy_setopt(easy, CURLOPT_RESOLVE, resolve_.get());
}

void Transfer::set_callbacks(CURL* easy) {
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, &client_);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_ready_to_send);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, this);
  // WHY: only the debug callback receives body bytes beyond the announced length, before libcurl drops them.
  curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_debug);
  curl_easy_setopt(easy, CURLOPT_DEBUGDATA, this);
  curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
}

std::size_t Transfer::on_header(char* data, std::size_t, std::size_t count, void* self) noexcept {
  auto& transfer = *static_cast<Transfer*>(self);
  if (transfer.is_cancelled_ || transfer.refusal_) return 0;
  return transfer.or_out_of_memory(std::size_t{0}, [&] { return transfer.take_line({data, count}); });
}

std::size_t Transfer::take_line(std::string_view line) {
  const auto seen = validator_.line(line);
  if (!seen) {
    refusal_ = error(seen.error().kind, seen.error().may_retry, seen.error().text);
    return 0;
  }
  if (*seen == ResponseFramingValidator::Seen::more) return line.size();
  if (auto ok = *seen == ResponseFramingValidator::Seen::interim_head ? take_interim() : take_head(); !ok) {
    refusal_ = std::move(ok.error());
    return 0;
  }
  return line.size();
}

std::size_t Transfer::on_body(char* data, std::size_t, std::size_t count, void* self) noexcept {
  auto& transfer = *static_cast<Transfer*>(self);
  return transfer.or_out_of_memory(std::size_t{0}, [&] { return transfer.take_body({data, count}); });
}

curl_socket_t Transfer::on_open_socket(void* self, curlsocktype, curl_sockaddr* address) noexcept {
  auto& transfer = *static_cast<Transfer*>(self);
  return transfer.or_out_of_memory(CURL_SOCKET_BAD, [&] { return transfer.open_socket(*address); });
}

curl_socket_t Transfer::open_socket(const curl_sockaddr& address) {
  std::array<char, NI_MAXHOST> text{};
  if (::getnameinfo(&address.addr, address.addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0)
    return CURL_SOCKET_BAD;
  if (auto allowed = check_address(request_.destinations, uri_, text.data()); !allowed) {
    refusal_ = std::move(allowed.error());
    return CURL_SOCKET_BAD;
  }
  if (state_ != State::connecting) {
    state_ = State::connecting;
    const auto& connect = request_.deadlines.connect;
    arm(std::max(connect - resolving_took_, std::chrono::milliseconds{1}),
        "no connection within " + std::to_string(connect.count()) + " ms");
  }
  const int fd = ::socket(address.family, address.socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address.protocol);
  if (fd < 0) return fd;
  client_.sockets.add(fd);
  ListeningSockets::of_process().add(fd);
  return fd;
}

int Transfer::on_close_socket(void* client, curl_socket_t fd) noexcept {
  auto& owner = *static_cast<CurlClient*>(client);
  owner.multi_.remove_socket(fd);
  owner.sockets.remove(fd);
  ListeningSockets::of_process().remove(fd);
  return ::close(fd);
}

int Transfer::on_ready_to_send(void* self, char* remote, char*, int remote_port, int local_port) noexcept {
  auto& transfer = *static_cast<Transfer*>(self);
  return transfer.or_out_of_memory(CURL_PREREQFUNC_ABORT,
                                   [&] { return transfer.ready_to_send(remote, remote_port, local_port); });
}

int Transfer::ready_to_send(const char* remote, int remote_port, int local_port) {
  // A kept connection may have been opened for a request with another policy.
  if (auto allowed = check_address(request_.destinations, uri_, remote); !allowed) {
    refusal_ = std::move(allowed.error());
    return CURL_PREREQFUNC_ABORT;
  }
  refusal_.reset();
  if (state_ == State::connecting) client_.metrics.connections.add();
  state_ = State::sent;
  is_version_known_ = false;
  sent_line_.clear();
  fd_ = client_.sockets.find(remote, remote_port, local_port);
  if (!avoid_connection_with_unread_bytes()) return CURL_PREREQFUNC_ABORT;
  sent_at_ = client_.clock.steady_now();
  const auto& first_byte = request_.deadlines.first_byte;
  arm(first_byte, "no response head within " + std::to_string(first_byte.count()) + " ms");
  return CURL_PREREQFUNC_OK;
}

void Transfer::note_sent(std::string_view bytes) {
  constexpr std::string_view kHttp2 = " HTTP/2";
  if (is_version_known_) return;
  const auto end = bytes.find("\r\n");
  sent_line_.append(bytes.substr(0, end));
  if (sent_line_.size() > kHttp2.size()) sent_line_.erase(0, sent_line_.size() - kHttp2.size());
  is_version_known_ = end != std::string_view::npos;
  validator_.over_http2(sent_line_ == kHttp2);
}

int Transfer::on_debug(CURL*, curl_infotype type, char* data, std::size_t count, void* self) noexcept {
  auto& transfer = *static_cast<Transfer*>(self);
  // After a response without a body, or after the last chunk, libcurl drops further bytes and only logs them.
  const std::string_view message(data, count);
  if (type == CURLINFO_TEXT && (message.starts_with("Excess found") || message.starts_with("Leftovers after chunking")))
    transfer.on_excess();
  if (type == CURLINFO_HEADER_OUT && !transfer.is_version_known_) {
    return transfer.or_out_of_memory(0, [&] {
      transfer.note_sent(message);
      return 0;
    });
  }
  if (type != CURLINFO_DATA_IN) return 0;
  transfer.raw_body_bytes_ += count;
  const auto length = transfer.validator_.content_length();
  if (length && transfer.raw_body_bytes_ >= *length) transfer.check_for_excess();
  return 0;
}

}  // namespace tribune::net
