#pragma once
// Fakes for tests of roles: event loops on threads, an HTTP client whose responses the test scripts, and exchanges that
// record the responses to clients.

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

/// A body that differs at every offset and between seeds.
inline std::string body_of(std::size_t size, unsigned seed = 1) {
  std::string body(size, '\0');
  std::uint32_t state = seed * 2654435761u + 1;
  for (auto& c : body) c = static_cast<char>((state = state * 1664525u + 1013904223u) >> 24);
  return body;
}

/// A condition that becomes true on another thread; waiting has a deadline and does not poll.
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

/// A request to the scripted origin, and the handlers by which the test responds. Used on the worker's loop only.
struct Asked {
  net::FetchRequest request;
  net::FetchHandlers handlers;
  bool cancelled = false;
  bool paused = false;
  std::string refused_bytes;  // delivered again on resume
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
  /// Delivers the bytes in pieces, as a socket does.
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

  /// If set, called on the loop for each request.
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

/// The response as a client received it. Read by the test after `ended`.
struct Seen {
  http::Response response;
  std::optional<std::uint64_t> announced;
  std::string body;
  bool began = false;
  std::atomic<bool> whole = false;  // replied, or finished
  std::atomic<bool> cut = false;    // the exchange was destroyed before its end
  net::AccessLogNote note;
  std::uint64_t most_unsent = 0;
  std::vector<std::pair<int, http::Headers>> interim;  // interim responses
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

/// Owned by one loop. With `slow` the client takes bytes only when the test calls drain().
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

  // Called by the test, on the loop.
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

  /// Runs the call on the loop, and waits for it.
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
