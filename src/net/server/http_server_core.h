#pragma once
// One server: a worker's evhttp with its listeners, connections by phase, deadlines and counts. Owned by one worker.

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

/// Lets one line a second through and counts the others. Owned by one worker.
class LineLimit {
 public:
  /// How many lines were held back since the last one that may be written; nothing when this one is held back too.
  std::optional<std::int64_t> allow(base::SteadyTime now) {
    if (written_ && now - *written_ < std::chrono::seconds{1}) {
      ++held_back_;
      return std::nullopt;
    }
    written_ = now;
    return std::exchange(held_back_, 0);
  }

 private:
  std::optional<base::SteadyTime> written_;
  std::int64_t held_back_ = 0;
};

struct ServerMetrics {
  ServerMetrics(base::Metrics&, const std::string& listener);
  base::Gauge connections;
  base::Counter accepted;
  base::Counter head_timeouts, body_timeouts, idle_timeouts, silent_timeouts;
  base::Counter slow_readers;
  base::Counter evicted;
  base::Counter accept_pauses;
  std::vector<base::Counter> rejected;  // by Refusal

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
  std::vector<std::string> bound() const override { return gate_->bound(); }
  void reconfigure(const ServerSettings&) override;
  void drain() override;
  std::size_t connections() const override { return connections_.size() + fresh_.size(); }
  void close_all() override;

  // For the connections.
  const HttpServerContext& context() const { return context_; }
  const ServerLimits& limits() const { return limits_; }
  const RequestFramingLimits& guard_limits() const { return guard_limits_; }
  const PrefixList& trusted() const { return trusted_; }
  bool wants_proxy_header() const { return proxy_protocol_; }
  bool is_draining() const { return draining_; }
  ResponseHead& answer_head() { return answer_head_; }
  RequestIds& request_ids() { return request_ids_; }
  /// Where connections read what arrives while they are idle; good until the next one reads.
  auto& express_room() { return express_room_; }
  ConnectionLimits& book() { return *book_; }
  base::SteadyTime now() const { return context_.clock.steady_now(); }
  void joined(HttpConnection&, ConnectionPhase);
  void moved(HttpConnection&, ConnectionPhase from, ConnectionPhase to);
  void watch(HttpConnection&);
  /// Counts a refusal and says it in the log.
  void rejected(RejectReason, const std::string& client);
  /// Takes a closed connection out; it is destroyed with the result.
  std::unique_ptr<HttpConnection> take_out(HttpConnection&);

 private:
  static bufferevent* on_new_buffer(event_base*, void*) noexcept;
  static void on_adopt(int, short, void*) noexcept;
  static void on_request(evhttp_request*, void*) noexcept;

  void welcome(bufferevent*);
  void adopt_fresh();
  void evict_longest_idle();
  void pause_accepting(const char* reason, int error);
  void try_to_accept_again();
  void resume_accepting();
  HttpConnection* longest_idle();
  void publish_idle();
  void sweep();
  void expire(ConnectionPhase, std::chrono::milliseconds after, std::optional<base::Counter>);
  void cut_slow_readers();
  void left(HttpConnection&);
  std::list<HttpConnection*>& list(ConnectionPhase phase) { return by_phase_[static_cast<std::size_t>(phase)]; }

  HttpServerContext context_;
  std::shared_ptr<ConnectionLimits> book_;
  std::shared_ptr<ConnectionLimits::Shelf> shelf_;
  ServerMetrics metrics_;
  ResponseHead answer_head_;
  RequestIds request_ids_;
  std::array<char, 16 * 1024> express_room_;
  ServerLimits limits_;
  RequestFramingLimits guard_limits_;
  PrefixList trusted_;
  bool proxy_protocol_ = false;
  bool draining_ = false;
  std::int64_t descriptor_budget_ = 0;
  base::SteadyTime watched_at_{};

  struct FreeHttp {
    void operator()(evhttp*) const;
  };
  struct FreeEvent {
    void operator()(event*) const;
  };
  std::unique_ptr<evhttp, FreeHttp> http_;
  std::unique_ptr<event, FreeEvent> adopt_event_;
  std::unique_ptr<Acceptor> gate_;
  std::array<std::list<HttpConnection*>, static_cast<std::size_t>(ConnectionPhase::count_)> by_phase_;
  std::list<HttpConnection*> watched_;
  struct Newcomer {
    std::unique_ptr<HttpConnection> connection;
    bool refused;
  };
  std::vector<Newcomer> fresh_;  // accepted in this turn, not adopted yet
  std::unordered_map<evhttp_connection*, std::unique_ptr<HttpConnection>> connections_;
  LineLimit rejected_lines_, slow_lines_, pause_lines_, resume_lines_, evicted_lines_;
  Timer sweep_timer_;
  Timer accept_timer_;
};

}  // namespace tribune::net
