#include "net/server/acceptor.h"

#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <mutex>

#include "net/client_address.h"

namespace tribune::net {
namespace {

constexpr int kBacklog = 4096;  // the kernel uses the smaller of this and somaxconn

// WHY: a registry of the process. evconnlistener calls its error callback with the argument that evhttp_bind_listener
// set, which is evhttp's own, and neither has a field for another one. It is used only when descriptors are exhausted.
class AcceptorRegistry {
 public:
  static AcceptorRegistry& of_process() {
    static AcceptorRegistry registry;
    return registry;
  }
  void add(evconnlistener* listener, Acceptor* acceptor) {
    const std::lock_guard lock(mutex_);
    acceptors_.emplace_back(listener, acceptor);
  }
  void remove(Acceptor* acceptor) {
    const std::lock_guard lock(mutex_);
    std::erase_if(acceptors_, [acceptor](const auto& entry) { return entry.second == acceptor; });
  }
  /// An acceptor is used and destroyed on its own loop only, so it exists while the caller on that loop uses it.
  Acceptor* find(evconnlistener* listener) {
    const std::lock_guard lock(mutex_);
    for (const auto& [known, acceptor] : acceptors_)
      if (known == listener) return acceptor;
    return nullptr;
  }

 private:
  std::mutex mutex_;
  std::vector<std::pair<evconnlistener*, Acceptor*>> acceptors_;  // guarded by mutex_
};

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

base::Result<Address> parse_address(const std::string& text) {
  const auto wrong = [&] {
    return base::failure(base::ErrorKind::invalid_input, base::Fault::tribune, "not a listening address: " + text);
  };
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) return wrong();
  std::string_view host = std::string_view(text).substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  if (const auto [at, error] = std::from_chars(text.data() + colon + 1, end, port); error != std::errc{} || at != end)
    return wrong();
  const auto ip = parse_ip(host);
  if (!ip) return wrong();
  Address address;
  if (!bracketed) {
    auto* four = reinterpret_cast<sockaddr_in*>(&address.storage);
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    std::memcpy(&four->sin_addr, ip->bytes.data() + 12, 4);
    address.length = sizeof *four;
  } else {
    auto* six = reinterpret_cast<sockaddr_in6*>(&address.storage);
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    std::memcpy(&six->sin6_addr, ip->bytes.data(), 16);
    address.length = sizeof *six;
  }
  return address;
}

/// A socket that is bound and not yet listening. The error names the call that failed.
base::Result<int> bind_socket(const Address& address, const std::string& text, bool shared) {
  const auto failed = [&text](const char* what, int fd) {
    const std::string reason = std::strerror(errno);
    if (fd >= 0) ::close(fd);
    return base::failure(base::ErrorKind::unavailable, base::Fault::tribune,
                         std::string(what) + " " + text + ": " + reason);
  };
  const int fd = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return failed("cannot create a socket for", fd);
  const int on = 1;
  const auto set = [&](int level, int option) { return ::setsockopt(fd, level, option, &on, sizeof on) == 0; };
  // Accepted sockets inherit TCP_NODELAY and SO_KEEPALIVE from the listening one.
  const bool ready = set(SOL_SOCKET, SO_REUSEADDR) && set(SOL_SOCKET, SO_KEEPALIVE) && set(IPPROTO_TCP, TCP_NODELAY) &&
                     (!shared || set(SOL_SOCKET, SO_REUSEPORT)) &&
                     (address.storage.ss_family != AF_INET6 || set(IPPROTO_IPV6, IPV6_V6ONLY));
  if (!ready) return failed("cannot prepare the socket for", fd);
  if (::bind(fd, address.get(), address.length) != 0) return failed("cannot listen on", fd);
  return fd;
}

}  // namespace

Acceptor::Acceptor(event_base* base, evhttp* http, std::function<void(int)> on_exhausted)
    : base_(base), http_(http), on_exhausted_(std::move(on_exhausted)) {}

Acceptor::~Acceptor() { close(); }

base::Status Acceptor::listen(const std::string& text, bool is_first) {
  const auto failed = [&text](int fd) {
    const std::string reason = std::strerror(errno);
    if (fd >= 0) ::close(fd);
    return base::failure(base::ErrorKind::unavailable, base::Fault::tribune,
                         "cannot listen on " + text + ": " + reason);
  };
  const auto address = parse_address(text);
  if (!address) return tl::unexpected(address.error());
  if (is_first) {
    const auto probe = bind_socket(*address, text, false);
    if (!probe) return tl::unexpected(probe.error());
    ::close(*probe);
  }
  const auto fd = bind_socket(*address, text, true);
  if (!fd) return tl::unexpected(fd.error());
  if (::listen(*fd, kBacklog) != 0) return failed(*fd);
  auto* listener = evconnlistener_new(base_, nullptr, nullptr, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, *fd);
  if (listener == nullptr) return failed(*fd);
  auto* socket = evhttp_bind_listener(http_, listener);
  if (socket == nullptr) {
    evconnlistener_free(listener);
    return failed(-1);
  }
  evconnlistener_set_error_cb(listener, on_error);
  AcceptorRegistry::of_process().add(listener, this);
  listeners_.push_back({listener, socket});
  return {};
}

std::vector<std::string> Acceptor::bound() const {
  std::vector<std::string> addresses;
  for (const auto& entry : listeners_) {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    auto* address = reinterpret_cast<sockaddr*>(&storage);
    if (::getsockname(evconnlistener_get_fd(entry.listener), address, &length) != 0) continue;
    const auto ip = ip_of(address);
    if (!ip) continue;
    const auto port = std::to_string(port_of(address));
    addresses.push_back(address->sa_family == AF_INET6 ? "[" + ip->text() + "]:" + port : ip->text() + ":" + port);
  }
  return addresses;
}

void Acceptor::pause() {
  paused_ = true;
  for (const auto& entry : listeners_) evconnlistener_disable(entry.listener);
}

void Acceptor::resume() {
  paused_ = false;
  for (const auto& entry : listeners_) evconnlistener_enable(entry.listener);
}

void Acceptor::close() {
  AcceptorRegistry::of_process().remove(this);
  for (const auto& entry : listeners_) evhttp_del_accept_socket(http_, entry.socket);
  listeners_.clear();
}

void Acceptor::on_error(evconnlistener* listener, void*) noexcept {
  const int error = errno;
  if (auto* acceptor = AcceptorRegistry::of_process().find(listener)) {
    acceptor->pause();
    acceptor->on_exhausted_(error);
    return;
  }
  evconnlistener_disable(listener);  // not registered: disabled, so that the loop does not report it again at once
}

}  // namespace tribune::net
