#pragma once
// Fakes for tests of roles: event loops on threads of their own, an HTTP client whose responses the test scripts, and
// exchanges that record what was sent to the client.

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/log.h"
#include "net/client/http_client.h"
#include "net/event_loop.h"
#include "net/server/exchange.h"
#include "runtime/role.h"

namespace tribune::testing {

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "tribune-node-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string path() const { return path_.string(); }
  std::string operator/(std::string_view name) const { return (path_ / name).string(); }
  /// Regular files under `part`.
  std::vector<std::filesystem::path> files(std::string_view part) const {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path_ / part))
      if (entry.is_regular_file()) found.push_back(entry.path());
    return found;
  }

 private:
  std::filesystem::path path_;
};

inline base::LogSettings silent() {
  base::LogSettings settings;
  settings.level = base::LogLevel::off;
  return settings;
}

/// A body that differs at every place and between seeds.
inline std::string body_of(std::size_t size, unsigned seed = 1) {
  std::string body(size, '\0');
  std::uint32_t state = seed * 2654435761u + 1;
  for (auto& c : body) c = static_cast<char>((state = state * 1664525u + 1013904223u) >> 24);
  return body;
}

/// A fact that becomes true on another thread; waiting has a deadline and no interval.
class Eventually {
 public:
  void changed() {
    { const std::lock_guard lock(mutex_); }
    wake_.notify_all();
  }
  template <class F>
  bool wait(F is_true) {
    std::unique_lock lock(mutex_);
    return wake_.wait_for(lock, std::chrono::seconds(20), is_true);
  }
  std::mutex& mutex() { return mutex_; }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
};

/// What the scripted origin was asked, and the strings by which the test answers. All of it on the worker's loop.
struct Asked {
  net::FetchRequest request;
  net::FetchHandlers handlers;
  bool cancelled = false;
  bool paused = false;
  std::string refused_bytes;  // given again on resume
  std::function<void()> done_later;
};

class ScriptedClient final : public net::HttpClient {
 public:
  explicit ScriptedClient(net::EventLoop& loop) : loop_(loop) {}

  std::unique_ptr<net::Fetch> start(net::FetchRequest request, net::FetchHandlers handlers) override {
    auto asked = std::make_shared<Asked>();
    asked->request = std::move(request);
    asked->handlers = std::move(handlers);
    {
      const std::lock_guard lock(arrived.mutex());
      all_.push_back(asked);
    }
    arrived.changed();
    if (on_asked)
      loop_.post([this, asked] {
        if (!asked->cancelled) on_asked(asked);
      });
    return std::make_unique<ScriptedFetch>(*this, asked);
  }

  static void head(Asked& a, int status, http::Headers headers, std::optional<std::uint64_t> length,
                   bool ends_with_connection = false) {
    if (a.cancelled) return;
    net::FetchHead head;
    head.status = status;
    head.headers = std::move(headers);
    head.content_length = length;
    head.ends_with_connection = ends_with_connection;
    const auto call = a.handlers.on_head;
    call(head);
  }
  /// In pieces, as a socket gives them.
  static void bytes(Asked& a, std::string_view bytes, std::size_t piece = 16'384) {
    while (!bytes.empty() && !a.cancelled) {
      const auto part = bytes.substr(0, piece);
      if (a.paused) {
        a.refused_bytes += bytes;
        return;
      }
      const auto call = a.handlers.on_body;
      if (call(part) == net::Flow::pause) {
        a.paused = true;
        a.refused_bytes += bytes;
        return;
      }
      bytes.remove_prefix(part.size());
    }
  }
  static void done(Asked& a, base::Result<void> result = {}) {
    if (a.cancelled) return;
    if (a.paused) {
      a.done_later = [&a, result] { done(a, result); };
      return;
    }
    const auto call = a.handlers.on_done;
    call(result);
  }

  std::size_t count() {
    const std::lock_guard lock(arrived.mutex());
    return all_.size();
  }
  std::shared_ptr<Asked> at(std::size_t i) {
    const std::lock_guard lock(arrived.mutex());
    return i < all_.size() ? all_[i] : nullptr;
  }
  bool wait_for(std::size_t count) {
    return arrived.wait([&] { return all_.size() >= count; });
  }

  /// Answers by itself, on the loop, when set.
  std::function<void(const std::shared_ptr<Asked>&)> on_asked;
  Eventually arrived;

 private:
  class ScriptedFetch final : public net::Fetch {
   public:
    ScriptedFetch(ScriptedClient& client, std::shared_ptr<Asked> asked) : client_(client), asked_(std::move(asked)) {}
    ~ScriptedFetch() override { asked_->cancelled = true; }
    void resume() override {
      client_.loop_.post([asked = asked_] {
        if (asked->cancelled || !asked->paused) return;
        asked->paused = false;
        const auto again = std::exchange(asked->refused_bytes, {});
        bytes(*asked, again);
        if (!asked->paused && asked->done_later) std::exchange(asked->done_later, {})();
      });
    }

   private:
    ScriptedClient& client_;
    std::shared_ptr<Asked> asked_;
  };

  net::EventLoop& loop_;
  std::vector<std::shared_ptr<Asked>> all_;
};

/// What a client of the house saw. Read by the test after `ended`.
struct Seen {
  http::Response response;
  std::optional<std::uint64_t> announced;
  std::string body;
  bool began = false;
  std::atomic<bool> whole = false;  // replied, or finished
  std::atomic<bool> cut = false;    // the exchange was destroyed before its end
  net::AccessLogNote note;
  std::uint64_t most_unsent = 0;
  std::vector<std::pair<int, http::Headers>> interim;  // heads before the answer
  std::atomic<std::uint64_t> pace_bps = 0;
  Eventually changed;
  bool ended() const { return whole || cut; }
  bool wait_end() {
    return changed.wait([this] { return ended(); });
  }
  bool wait_bytes(std::size_t count) {
    return changed.wait([&] { return body.size() >= count || ended(); });
  }
  std::string header(std::string_view name) const { return std::string(response.headers.first(name).value_or("")); }
};

/// Owned by one loop. `rate`: bytes that the client takes by itself; otherwise the test drains it.
class FakeExchange final : public net::Exchange {
 public:
  FakeExchange(net::EventLoop& loop, http::Request request, std::shared_ptr<Seen> seen, bool slow = false)
      : loop_(loop), request_(std::move(request)), seen_(std::move(seen)), slow_(slow) {}
  ~FakeExchange() override {
    {
      const std::lock_guard lock(seen_->changed.mutex());
      if (!seen_->whole) {
        seen_->cut = true;
        seen_->note = note;
      }
    }
    seen_->changed.changed();
  }

  const http::Request& request() const override { return request_; }
  void pace(std::uint64_t bits_per_second) override { seen_->pace_bps = bits_per_second; }
  void interim(int status, const http::Headers& fields) override { seen_->interim.emplace_back(status, fields); }
  void reply(http::Response response) override {
    {
      const std::lock_guard lock(seen_->changed.mutex());
      take(response.body);
      seen_->response = std::move(response);
      for (const auto& field : also.all()) seen_->response.headers.add(field.name, field.value);
      seen_->note = note;
      seen_->whole = true;
    }
    seen_->changed.changed();
  }
  void begin(http::Response head, std::optional<std::uint64_t> length) override {
    auto first = std::exchange(head.body, {});
    {
      const std::lock_guard lock(seen_->changed.mutex());
      seen_->response = std::move(head);
      for (const auto& field : also.all()) seen_->response.headers.add(field.name, field.value);
      seen_->announced = length;
      seen_->began = true;
    }
    seen_->changed.changed();
    if (http::length_of(first) > 0) write(std::move(first));
  }
  void write(http::Body part) override {
    {
      const std::lock_guard lock(seen_->changed.mutex());
      const auto before = seen_->body.size();
      take(part);
      if (slow_) unsent_ += seen_->body.size() - before;
      seen_->most_unsent = std::max(seen_->most_unsent, unsent_);
      if (slow_) held_.push_back(std::move(part));
    }
    seen_->changed.changed();
  }
  std::uint64_t unsent() const override { return unsent_; }
  void when_drained(std::uint64_t low_water, std::function<void()> ready) override {
    ready_ = std::move(ready);
    low_water_ = low_water;
    if (unsent_ <= low_water_)
      loop_.post([weak = std::weak_ptr<bool>(alive_), this] {
        if (weak.lock() && ready_ && unsent_ <= low_water_) std::exchange(ready_, {})();
      });
  }
  void finish() override {
    {
      const std::lock_guard lock(seen_->changed.mutex());
      seen_->note = note;
      seen_->whole = true;
    }
    seen_->changed.changed();
  }
  void on_gone(std::function<void()> gone) override { gone_ = std::move(gone); }

  // The test, on the loop.
  void leave() {
    if (auto gone = std::exchange(gone_, {})) gone();
  }
  void drain() {
    unsent_ = 0;
    held_.clear();
    if (ready_) std::exchange(ready_, {})();
  }

 private:
  void take(const http::Body& body) {
    if (request_.method == http::Method::head) return;
    if (const auto* own = std::get_if<std::string>(&body)) seen_->body += *own;
    if (const auto* shared = std::get_if<base::BytesSlice>(&body)) seen_->body += shared->view();
    if (const auto* file = std::get_if<base::FileSlice>(&body)) {
      std::string bytes(file->length, '\0');
      const auto got = ::pread(file->file->fd(), bytes.data(), bytes.size(), static_cast<off_t>(file->offset));
      bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
      seen_->body += bytes;
    }
  }
  net::EventLoop& loop_;
  http::Request request_;
  std::shared_ptr<Seen> seen_;
  const bool slow_;
  std::uint64_t unsent_ = 0;
  std::uint64_t low_water_ = 0;
  std::vector<http::Body> held_;
  std::function<void()> ready_, gone_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

/// Loops on threads, each a worker with a scripted client.
class Workers {
 public:
  explicit Workers(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      loops_.push_back(std::make_unique<net::EventLoop>());
      clients_.push_back(std::make_unique<ScriptedClient>(*loops_.back()));
      workers_.push_back(std::make_unique<runtime::Worker>(runtime::Worker{i, *loops_.back(), *clients_.back()}));
    }
    for (auto& loop : loops_) threads_.emplace_back([&loop] { loop->run(); });
  }
  ~Workers() { stop(); }
  void stop() {
    for (auto& loop : loops_) loop->stop();
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }
  const std::vector<std::unique_ptr<runtime::Worker>>& all() const { return workers_; }
  runtime::Worker& worker(std::size_t i = 0) { return *workers_[i]; }
  ScriptedClient& client(std::size_t i = 0) { return *clients_[i]; }
  std::size_t size() const { return workers_.size(); }

  /// Runs on the loop, and waits.
  void on(std::size_t i, const std::function<void()>& call) {
    std::promise<void> done;
    loops_[i]->post([&] {
      call();
      done.set_value();
    });
    done.get_future().wait();
  }
  std::size_t asked() {
    std::size_t count = 0;
    for (auto& client : clients_) count += client->count();
    return count;
  }

 private:
  std::vector<std::unique_ptr<net::EventLoop>> loops_;
  std::vector<std::unique_ptr<ScriptedClient>> clients_;
  std::vector<std::unique_ptr<runtime::Worker>> workers_;
  std::vector<std::thread> threads_;
};

}  // namespace tribune::testing
