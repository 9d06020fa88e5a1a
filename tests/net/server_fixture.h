#pragma once
// A real server on a real loop in its own thread, and clients that send raw bytes to it.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/log.h"
#include "base/metrics.h"
#include "net/server/http_server.h"
#include "support/silent_log.h"

namespace tribune::test {

using namespace std::chrono_literals;

/// What follows the head of a response.
inline std::string body_of(const std::string& response) { return response.substr(response.find("\r\n\r\n") + 4); }

/// A blocking client; every read has a deadline of five seconds.
class RawClient {
 public:
  /// A socket that is not connected yet.
  RawClient() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  explicit RawClient(const std::string& address, int receive_buffer = 0, const char* from = nullptr) : RawClient() {
    if (receive_buffer != 0) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    if (from != nullptr) {
      sockaddr_in own{};
      own.sin_family = AF_INET;
      ::inet_pton(AF_INET, from, &own.sin_addr);
      if (::bind(fd_, reinterpret_cast<sockaddr*>(&own), sizeof own) != 0) throw std::runtime_error("bind");
    }
    connect(address);
  }
  void connect(const std::string& address) {
    const auto colon = address.rfind(':');
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
    ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) throw std::runtime_error("connect");
  }
  ~RawClient() { close(); }
  RawClient(RawClient&& other) noexcept : fd_(std::exchange(other.fd_, -1)), kept_(std::move(other.kept_)) {}
  RawClient(const RawClient&) = delete;

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  /// Waits for more bytes; false at the end. was_reset() is true if the end was a reset.
  bool receive() {
    pollfd waiting{fd_, POLLIN, 0};
    if (::poll(&waiting, 1, 5'000) != 1) throw std::runtime_error("no bytes in five seconds");
    char buffer[65536];
    const auto n = ::recv(fd_, buffer, sizeof buffer, 0);
    if (n > 0) kept_.append(buffer, static_cast<std::size_t>(n));
    reset_ = n < 0;
    return n > 0;
  }
  std::string read_to_end() {
    while (receive()) {
    }
    return std::move(kept_);
  }
  /// One response with a Content-Length (or without, for 204, 304 and HEAD).
  std::string read_answer(bool has_body = true) {
    while (kept_.find("\r\n\r\n") == std::string::npos)
      if (!receive()) return std::move(kept_);
    auto size = kept_.find("\r\n\r\n") + 4;
    const auto field = kept_.find("Content-Length: ");
    if (has_body && field < size) size += std::stoul(kept_.substr(field + 16));
    while (kept_.size() < size)
      if (!receive()) return std::move(kept_);
    auto answer = kept_.substr(0, size);
    kept_.erase(0, size);
    return answer;
  }
  std::string ask(std::string_view request) {
    send(request);
    return read_answer();
  }
  void shut_sending() { ::shutdown(fd_, SHUT_WR); }
  void reset_now() {
    const linger hard{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
  }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  bool was_reset() const { return reset_; }
  int fd() const { return fd_; }

 private:
  int fd_;
  bool reset_ = false;
  std::string kept_;
};

struct Finished {
  std::string path;
  int status;
  std::uint64_t bytes_sent;
  bool completed;
  std::string reason;
};

class ServerUnderTest {
 public:
  explicit ServerUnderTest(net::Handler handler, net::ServerSettings settings = {}, bool any_method = false) {
    log_ = std::make_unique<base::Log>(silent());
    if (settings.listen.empty()) settings.listen = {"127.0.0.1:0"};
    connection_limits_ = net::make_connection_limits();
    net::HttpServerContext context{
        loop_, clock_, *log_, metrics_, "front", std::move(handler), [this](const net::AccessRecord& record) {
          const std::lock_guard lock(mutex_);
          finished_.push_back({record.request.path, record.status, record.bytes_sent, record.completed,
                               std::string(record.note.reason)});
          arrived_.notify_all();
        }};
    context.any_method = any_method;
    auto opened = net::HttpServer::open(settings, context, connection_limits_);
    if (!opened) throw std::runtime_error(opened.error().text);
    server_ = std::move(*opened);
    address_ = server_->bound().front();
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~ServerUnderTest() {
    on_loop([this] { server_.reset(); });
    loop_.stop();
    thread_.join();
  }

  /// Runs a call on the loop and waits for it.
  void on_loop(std::function<void()> call) {
    std::promise<void> done;
    loop_.post([&] {
      call();
      done.set_value();
    });
    done.get_future().wait();
  }
  /// Evaluates the condition on the loop until it holds, for at most five seconds.
  bool becomes_true(const std::function<bool()>& condition) {
    const auto until = std::chrono::steady_clock::now() + 5s;
    for (bool holds = false; std::chrono::steady_clock::now() < until;) {
      on_loop([&] { holds = condition(); });
      if (holds) return true;
      ::poll(nullptr, 0, 2);
    }
    return false;
  }
  std::vector<Finished> wait_finished(std::size_t count) {
    std::unique_lock lock(mutex_);
    arrived_.wait_for(lock, 5s, [&] { return finished_.size() >= count; });
    return finished_;
  }
  double metric(const std::string& line_begin) {
    const auto text = metrics_.scrape();
    const auto at = text.find(line_begin);
    if (at == std::string::npos) return -1;
    return std::stod(text.substr(text.find(' ', at + line_begin.size() - 1)));
  }
  double rejected(const std::string& reason) {
    return metric("tribune_http_rejected_total{listener=\"front\",reason=\"" + reason + "\"}");
  }
  std::size_t connections() {
    std::size_t count = 0;
    on_loop([&] { count = server_->connections(); });
    return count;
  }
  RawClient client() { return RawClient(address_); }
  const std::string& address() const { return address_; }
  net::HttpServer& server() { return *server_; }
  net::EventLoop& loop() { return loop_; }

 private:
  net::EventLoop loop_;
  base::SystemClock clock_;
  std::unique_ptr<base::Log> log_;
  base::Metrics metrics_;
  std::shared_ptr<net::ConnectionLimits> connection_limits_;
  std::unique_ptr<net::HttpServer> server_;
  std::string address_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Finished> finished_;
};

/// Responds with the method, path, query, client and body of the request.
inline void echo(std::unique_ptr<net::Exchange> exchange) {
  const auto& request = exchange->request();
  std::string text(http::to_string(request.method));
  text += " " + request.path + "?" + request.query + " " + request.client + (request.secure ? " secure" : "") + " [" +
          request.body + "]";
  exchange->reply({200, {{"Content-Type", "text/plain"}}, text});
}

inline int status_of_answer(const std::string& answer) {
  return answer.size() > 12 && answer.starts_with("HTTP/1.1 ") ? std::stoi(answer.substr(9, 3)) : 0;
}

}  // namespace tribune::test
