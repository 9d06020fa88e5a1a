#pragma once
// An origin that sends the bytes of a script on its own thread with blocking sockets, and cuts or stalls where the
// script does. Ports come from the kernel.

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace tribune::test {

inline bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// One accepted connection, for the script. Every wait ends when the origin is destroyed.
class OriginConnection {
 public:
  OriginConnection(int fd, int stop_fd, std::size_t number) : fd_(fd), stop_fd_(stop_fd), number_(number) {}
  ~OriginConnection() { close(); }
  OriginConnection(const OriginConnection&) = delete;
  OriginConnection& operator=(const OriginConnection&) = delete;

  std::size_t number() const { return number_; }  // from 0, in the order of arrival

  /// The next request with its body (Content-Length only); nullopt when the client has left.
  std::optional<std::string> read_request() {
    while (true) {
      const auto end = input_.find("\r\n\r\n");
      if (end != std::string::npos && input_.size() >= end + 4 + body_length(input_.substr(0, end))) {
        const auto length = end + 4 + body_length(input_.substr(0, end));
        auto request = input_.substr(0, length);
        input_.erase(0, length);
        return request;
      }
      if (!receive()) return std::nullopt;
    }
  }

  /// Returns false when the client has left.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      if (!wait_for(POLLOUT)) return false;
      const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno == EAGAIN) continue;
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  /// Waits until the client's kernel has acknowledged all sent bytes.
  void wait_until_received() const {
    for (int unsent = 1; ::ioctl(fd_, SIOCOUTQ, &unsent) == 0 && unsent > 0;) std::this_thread::yield();
  }

  /// Sends nothing more until the client closes the connection, or the origin is destroyed.
  void stall() {
    while (receive()) {
    }
  }

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  /// Closes with RST instead of FIN.
  void reset() {
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }

 private:
  static std::size_t body_length(std::string_view head) {
    const auto at = head.find("Content-Length: ");
    return at == std::string_view::npos ? 0 : std::stoul(std::string(head.substr(at + 16)));
  }

  bool wait_for(short what) {
    if (fd_ < 0) return false;
    pollfd waits[2] = {{fd_, what, 0}, {stop_fd_, POLLIN, 0}};
    ::poll(waits, 2, -1);
    return waits[1].revents == 0;
  }

  bool receive() {
    if (!wait_for(POLLIN)) return false;
    char buffer[16384];
    const auto got = ::recv(fd_, buffer, sizeof buffer, 0);
    if (got <= 0) return false;
    input_.append(buffer, static_cast<std::size_t>(got));
    return true;
  }

  int fd_;
  int stop_fd_;
  std::size_t number_;
  std::string input_;
};

/// Runs the script on a thread for each connection.
class ScriptedOrigin {
 public:
  using Script = std::function<void(OriginConnection&)>;

  explicit ScriptedOrigin(Script script) : script_(std::move(script)) {
    stop_fd_ = ::eventfd(0, EFD_CLOEXEC);
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) != 0 || ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
      throw std::runtime_error("no port for a scripted origin");
    }
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }

  /// Responds to every request on every connection with the same bytes, and keeps the connection.
  static Script always(std::string answer) {
    return [answer = std::move(answer)](OriginConnection& connection) {
      while (connection.read_request() && connection.send(answer)) {
      }
    };
  }

  /// Responds to one request per connection, then closes it.
  static Script once(std::string answer) {
    return [answer = std::move(answer)](OriginConnection& connection) {
      if (connection.read_request()) connection.send(answer);
    };
  }

  ~ScriptedOrigin() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(stop_fd_, &one, sizeof one);
    acceptor_.join();
    for (auto& worker : workers_) worker.join();
    ::close(listener_);
    ::close(stop_fd_);
  }
  ScriptedOrigin(const ScriptedOrigin&) = delete;
  ScriptedOrigin& operator=(const ScriptedOrigin&) = delete;

  int port() const { return port_; }
  std::string origin() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::string url(std::string_view target = "/") const { return origin() + std::string(target); }
  std::size_t accepted() const { return accepted_; }

 private:
  void accept_all() {
    while (true) {
      pollfd waits[2] = {{listener_, POLLIN, 0}, {stop_fd_, POLLIN, 0}};
      ::poll(waits, 2, -1);
      if (waits[1].revents != 0) return;
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      workers_.emplace_back([this, fd, number = accepted_++] {
        OriginConnection connection(fd, stop_fd_, number);
        script_(connection);
      });
    }
  }

  Script script_;
  int stop_fd_ = -1;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<std::size_t> accepted_{0};
  std::thread acceptor_;
  std::list<std::thread> workers_;  // used by the acceptor thread only; read after it has ended
};

}  // namespace tribune::test
