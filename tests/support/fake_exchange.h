#pragma once
// An exchange without a connection. It records the response in an object that outlives it.

#include <doctest/doctest.h>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/event_loop.h"
#include "net/server/exchange.h"
#include "support/eventually.h"

namespace tribune::test {

/// The response as a client received it, and the state of its exchange. If the exchange is on another thread, the test
/// reads it after ended(), or while it holds the mutex of `changed`.
struct RecordedResponse {
  std::optional<http::Response> response;  // since reply() or begin()
  std::optional<std::uint64_t> announced;  // the length given to begin()
  std::string bytes;                       // of the body, as far as it was written
  std::vector<std::pair<int, http::Headers>> interim;
  net::AccessLogNote note;
  std::function<void()> gone;  // registered with on_gone()
  std::uint64_t most_unsent = 0;
  std::atomic<std::uint64_t> pace_bps = 0;
  std::atomic<bool> began = false;   // begin() was called
  std::atomic<bool> whole = false;   // reply() or finish() was called
  std::atomic<bool> is_open = true;  // the exchange was not destroyed
  Eventually changed;

  int status() const { return response ? response->status : 0; }
  std::string header(std::string_view name) const {
    return std::string(response ? response->headers.first(name).value_or("") : "");
  }
  const std::string& body() const {
    REQUIRE(response);
    return bytes;
  }
  /// Whether the exchange was destroyed before the end of its response.
  bool cut() const { return !is_open && !whole; }
  bool ended() const { return whole || !is_open; }
  bool wait_end() {
    return changed.wait([this] { return ended(); });
  }
  bool wait_bytes(std::size_t count) {
    return changed.wait([&] { return bytes.size() >= count || ended(); });
  }
  /// The client closes its connection. Called on the thread of the exchange.
  void leave() {
    if (const auto call = std::exchange(gone, {})) call();
  }
};

/// Owned by one thread: that of its loop, if it has one.
class FakeExchange final : public net::Exchange {
 public:
  /// Without a loop the response must be whole: begin() and write() fail the test.
  FakeExchange(http::Request request, std::shared_ptr<RecordedResponse> record)
      : request_(std::move(request)), record_(std::move(record)) {}
  /// With `slow` the client takes bytes only when the test calls drain().
  FakeExchange(net::EventLoop& loop, http::Request request, std::shared_ptr<RecordedResponse> record, bool slow = false)
      : loop_(&loop), request_(std::move(request)), record_(std::move(record)), slow_(slow) {}
  ~FakeExchange() override {
    change([&] {
      if (!record_->whole) record_->note = note;
      record_->gone = {};
      record_->is_open = false;
    });
  }

  const http::Request& request() const override { return request_; }
  void pace(std::uint64_t bits_per_second) override { record_->pace_bps = bits_per_second; }
  void interim(int status, const http::Headers& fields) override { record_->interim.emplace_back(status, fields); }
  void reply(http::Response response) override {
    change([&] {
      take(response.body);
      respond(std::move(response));
      record_->note = note;
      record_->whole = true;
    });
  }
  void begin(http::Response head, std::optional<std::uint64_t> length) override {
    require_loop();
    auto first = std::exchange(head.body, {});
    change([&] {
      respond(std::move(head));
      record_->announced = length;
      record_->began = true;
    });
    if (http::length_of(first) > 0) write(std::move(first));
  }
  void write(http::Body part) override {
    require_loop();
    change([&] {
      const auto before = record_->bytes.size();
      take(part);
      if (slow_) unsent_ += record_->bytes.size() - before;
      record_->most_unsent = std::max(record_->most_unsent, unsent_);
      if (slow_) held_.push_back(std::move(part));
    });
  }
  std::uint64_t unsent() const override { return unsent_; }
  void when_drained(std::uint64_t low_water, std::function<void()> ready) override {
    ready_ = std::move(ready);
    low_water_ = low_water;
    if (unsent_ <= low_water_ && loop_)
      loop_->post([weak = std::weak_ptr<bool>(alive_), this] {
        if (weak.lock() && ready_ && unsent_ <= low_water_) std::exchange(ready_, {})();
      });
  }
  void finish() override {
    change([&] {
      record_->note = note;
      record_->whole = true;
    });
  }
  void on_gone(std::function<void()> gone) override { record_->gone = std::move(gone); }

  /// The client takes all bytes. Called on the loop.
  void drain() {
    unsent_ = 0;
    held_.clear();
    if (ready_) std::exchange(ready_, {})();
  }

 private:
  template <class F>
  void change(F call) {
    {
      const std::lock_guard lock(record_->changed.mutex());
      call();
    }
    record_->changed.changed();
  }
  void require_loop() const {
    if (!loop_) FAIL("a response is streamed through an exchange without a loop");
  }
  void respond(http::Response response) {
    CHECK_FALSE(record_->response);
    for (const auto& field : also.all()) response.headers.add(field.name, field.value);
    record_->response = std::move(response);
  }
  void take(const http::Body& body) {
    if (request_.method == http::Method::head) return;
    if (const auto* own = std::get_if<std::string>(&body)) record_->bytes += *own;
    if (const auto* shared = std::get_if<base::BytesSlice>(&body)) record_->bytes += shared->view();
    if (const auto* file = std::get_if<base::FileSlice>(&body)) {
      std::string bytes(file->length, '\0');
      const auto got = ::pread(file->file->fd(), bytes.data(), bytes.size(), static_cast<off_t>(file->offset));
      bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
      record_->bytes += bytes;
    }
  }

  net::EventLoop* loop_ = nullptr;
  http::Request request_;
  std::shared_ptr<RecordedResponse> record_;
  const bool slow_ = false;
  std::uint64_t unsent_ = 0;
  std::uint64_t low_water_ = 0;
  std::vector<http::Body> held_;
  std::function<void()> ready_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

inline http::Request request_of(http::Method method, std::string path, http::Headers headers = {}) {
  http::Request request;
  request.method = method;
  request.path = std::move(path);
  request.headers = std::move(headers);
  return request;
}

}  // namespace tribune::test
