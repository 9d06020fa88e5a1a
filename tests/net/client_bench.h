#pragma once
// A client on a loop, and one fetch at a time that runs to its end.

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "net/client/http_client.h"
#include "net/event_loop.h"
#include "net/scripted_origin.h"
#include "support/silent_log.h"

namespace tribune::test {

using namespace std::chrono_literals;

/// The result of a fetch.
struct Outcome {
  bool is_done = false;
  base::Result<void> result;
  std::optional<net::FetchHead> head;
  std::string body;
  int pieces = 0;

  base::ErrorKind kind() const { return result ? base::ErrorKind::internal : result.error().kind; }
  std::string text() const { return result ? "no error" : result.error().text; }
};

class ClientBench {
 public:
  explicit ClientBench(const net::ClientSettings& settings = {})
      : log_(silent()), client_(net::HttpClient::make(loop, clock_, log_, metrics_, settings)) {}

  /// A request to the origin's literal address, with deadlines that no correct exchange reaches.
  static net::FetchRequest request(const ScriptedOrigin& origin, std::string_view target = "/") {
    net::FetchRequest request;
    request.url = origin.url(target);
    request.destinations.allowed_origins = {origin.origin()};
    request.deadlines = patient();
    return request;
  }

  static net::FetchDeadlines patient() {
    net::FetchDeadlines deadlines;
    deadlines.connect = deadlines.first_byte = deadlines.low_speed_window = deadlines.total = 30s;
    return deadlines;
  }

  /// Runs the loop until the fetch has ended.
  Outcome run(net::FetchRequest request) {
    Outcome outcome;
    const auto fetch = client_->start(std::move(request), collect(outcome, [this] { loop.stop(); }));
    CHECK_FALSE(outcome.is_done);  // nothing runs inside start()
    run_loop();
    REQUIRE(outcome.is_done);
    return outcome;
  }

  net::FetchHandlers collect(Outcome& outcome, std::function<void()> on_done) {
    net::FetchHandlers handlers;
    handlers.on_head = [&outcome](const net::FetchHead& head) {
      CHECK_FALSE(outcome.head.has_value());
      outcome.head = head;
    };
    handlers.on_body = [&outcome](std::string_view bytes) {
      CHECK(outcome.head.has_value());
      outcome.body += bytes;
      ++outcome.pieces;
      return net::Flow::go_on;
    };
    handlers.on_done = [&outcome, on_done = std::move(on_done)](base::Result<void> result) {
      CHECK_FALSE(outcome.is_done);
      outcome.is_done = true;
      outcome.result = std::move(result);
      on_done();
    };
    return handlers;
  }

  /// Runs the loop until it is stopped; fails after 30 seconds.
  void run_loop() {
    const auto too_long = loop.after(30s, [this] {
      FAIL_CHECK("the loop was never stopped");
      loop.stop();
    });
    loop.run();
  }

  /// One round of the loop: all calls that are due now have run when this returns.
  void turn() {
    const auto now = loop.after(0ms, [this] { loop.post([this] { loop.stop(); }); });
    loop.run();
  }

  net::HttpClient& client() { return *client_; }
  base::Metrics& metrics() { return metrics_; }
  void destroy_client() { client_.reset(); }

  net::EventLoop loop;

 private:
  base::SystemClock clock_;
  base::Log log_;
  base::Metrics metrics_;
  std::unique_ptr<net::HttpClient> client_;
};

}  // namespace tribune::test
