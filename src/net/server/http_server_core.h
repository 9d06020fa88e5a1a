#pragma once
// One server: a worker's evhttp with its listening sockets, its connections by phase, their deadlines, and the
// counters. Owned by one worker.
//
// States
//   listening  accepts connections                                             (listen)
//   paused     accepts none, because descriptors or memory are exhausted       (pause_accepting, resume_accepting)
//   draining   accepts none; each connection closes after its response         (drain)

#include <array>
#include <chrono>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "net/server/acceptor.h"
#include "net/server/connection_limits.h"
#include "net/server/http_connection.h"
#include "net/server/http_server.h"
#include "net/server/request_framing_validator.h"
#include "net/server/request_id.h"
#include "net/server/response_head.h"

struct event;
struct evhttp;

namespace tribune::net {

/// Limits a log event to one line per second and counts the suppressed ones. Owned by one worker.
class LogLineLimit {
 public:
  /// The number of lines suppressed since the last one that was written; nullopt when this one is suppressed too.
  std::optional<std::int64_t> allow(base::SteadyTime now) {
    if (written_ && now - *written_ < std::chrono::seconds{1}) {
      ++suppressed_;
      return std::nullopt;
    }
    written_ = now;
    return std::exchange(suppressed_, 0);
  }

 private:
  std::optional<base::SteadyTime> written_;
  std::int64_t suppressed_ = 0;
};

struct ServerMetrics {
  ServerMetrics(base::Metrics&, const std::string& listener);
  base::Gauge connections;
  base::Counter accepted;
  base::Counter head_timeouts, body_timeouts, idle_timeouts, silent_timeouts;
  base::Counter slow_readers;
  base::Counter evicted;
  base::Counter accept_pauses;
  std::vector<base::Counter> rejected;  // by RejectReason

 private:
  static base::Counter timeouts(base::Metrics&, const std::string& listener, std::string_view kind);
};

class ServerCore final : public HttpServer {
 public:
  ServerCore(HttpServerContext, std::shared_ptr<ConnectionLimits>);
  ~ServerCore() override;
  ServerCore(const ServerCore&) = delete;
  ServerCore& operator=(const ServerCore&) = delete;

  base::Status listen(const ServerSettings&);
  std::vector<std::string> bound() const override { return acceptor_->bound(); }
  void reconfigure(const ServerSettings&) override;
  void drain() override;
  std::size_t connections() const override { return connections_.size() + accepted_.size(); }
  void close_all() override;

  // For the connections.
  const HttpServerContext& context() const { return context_; }
  const ServerLimits& limits() const { return limits_; }
  const RequestFramingLimits& framing_limits() const { return framing_limits_; }
  const PrefixList& trusted() const { return trusted_; }
  bool requires_proxy_header() const { return requires_proxy_header_; }
  bool is_draining() const { return draining_; }
  ResponseHead& response_head() { return response_head_; }
  RequestIds& request_ids() { return request_ids_; }
  /// For the fast path of the connections; valid until the next connection reads.
  auto& fast_read_buffer() { return fast_read_buffer_; }
  ConnectionLimits& connection_limits() { return *connection_limits_; }
  base::SteadyTime now() const { return context_.clock.steady_now(); }
  void add(HttpConnection&);
  void on_phase_changed(HttpConnection&, ConnectionPhase from, ConnectionPhase to);
  /// Checks the send rate of the connection until its writer ends the watch.
  void watch(HttpConnection&);
  /// Counts and logs a rejected request or connection.
  void count_rejection(RejectReason, const std::string& client);
  /// Removes a closed connection; it is destroyed with the result.
  std::unique_ptr<HttpConnection> remove(HttpConnection&);

 private:
  static bufferevent* on_new_buffer(event_base*, void*) noexcept;
  static void on_adopt(int, short, void*) noexcept;
  static void on_request(evhttp_request*, void*) noexcept;

  void accept(bufferevent*);
  void adopt_accepted();
  void evict_longest_idle();
  void pause_accepting(const char* reason, int error);
  void retry_accepting();
  void resume_accepting();
  HttpConnection* longest_idle();
  void publish_idle();
  void sweep();
  void expire(ConnectionPhase, std::chrono::milliseconds after, std::optional<base::Counter>);
  void cut_slow_readers();
  void remove_from_lists(HttpConnection&);
  std::list<HttpConnection*>& list(ConnectionPhase phase) { return by_phase_[static_cast<std::size_t>(phase)]; }

  HttpServerContext context_;
  std::shared_ptr<ConnectionLimits> connection_limits_;
  std::shared_ptr<ConnectionLimits::WorkerEntry> limits_worker_;
  ServerMetrics metrics_;
  ResponseHead response_head_;
  RequestIds request_ids_;
  std::array<char, 16 * 1024> fast_read_buffer_;
  ServerLimits limits_;
  RequestFramingLimits framing_limits_;
  PrefixList trusted_;
  bool requires_proxy_header_ = false;
  bool draining_ = false;
  std::int64_t descriptor_budget_ = 0;
  base::SteadyTime rates_checked_at_{};

  struct FreeHttp {
    void operator()(evhttp*) const;
  };
  struct FreeEvent {
    void operator()(event*) const;
  };
  std::unique_ptr<evhttp, FreeHttp> http_;
  std::unique_ptr<event, FreeEvent> adopt_event_;
  std::unique_ptr<Acceptor> acceptor_;
  std::array<std::list<HttpConnection*>, static_cast<std::size_t>(ConnectionPhase::count_)> by_phase_;
  std::list<HttpConnection*> watched_;
  struct AcceptedConnection {
    std::unique_ptr<HttpConnection> connection;
    bool is_over_limit;
  };
  std::vector<AcceptedConnection> accepted_;  // in this iteration of the loop, not adopted yet
  std::unordered_map<evhttp_connection*, std::unique_ptr<HttpConnection>> connections_;
  LogLineLimit rejected_lines_, slow_lines_, pause_lines_, resume_lines_, evicted_lines_;
  Timer sweep_timer_;
  Timer accept_timer_;
};

}  // namespace tribune::net
