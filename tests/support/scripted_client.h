#pragma once
// An HTTP client without a network: it records the requests, and the test writes their responses. There are three ways
// to respond: a script that returns whole responses, on_asked, or the functions head, bytes and done. A request without
// a response stays open.

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/uri.h"
#include "net/client/http_client.h"
#include "net/event_loop.h"
#include "support/eventually.h"

namespace tribune::test {

struct ScriptedResponse {
  int status = 200;
  std::string body = {};
  http::Headers headers = {};
  std::optional<std::uint64_t> content_length = {};
};

/// A request that the client sent, and the handlers that receive its response. The request is immutable; the rest is
/// used on the loop only.
struct Asked {
  net::FetchRequest request;
  net::FetchHandlers handlers;
  bool cancelled = false;
  bool paused = false;
  std::string refused_bytes;  // delivered again on resume
  std::function<void()> done_later;
};

/// start() is called on the loop; the list of requests is read on any thread.
class ScriptedClient final : public net::HttpClient {
 public:
  /// Called inside start(). Its response is delivered in the next round of the loop; nullopt is no response.
  using Script = std::function<std::optional<ScriptedResponse>(const net::FetchRequest&)>;

  explicit ScriptedClient(net::EventLoop& loop, Script script = {}) : loop_(loop), script_(std::move(script)) {}

  std::unique_ptr<net::Fetch> start(net::FetchRequest request, net::FetchHandlers handlers) override {
    auto asked = std::make_shared<Asked>();
    asked->request = std::move(request);
    asked->handlers = std::move(handlers);
    {
      const std::lock_guard lock(arrived.mutex());
      all_.push_back(asked);
    }
    arrived.changed();
    if (script_)
      if (auto response = script_(asked->request))
        loop_.post([asked, response = std::move(*response)] { deliver(*asked, response); });
    if (on_asked)
      loop_.post([this, asked] {
        if (!asked->cancelled) on_asked(asked);
      });
    return std::make_unique<ScriptedFetch>(loop_, std::move(asked));
  }

  static void head(Asked& a, int status, http::Headers headers, std::optional<std::uint64_t> length,
                   bool ends_with_connection = false) {
    if (a.cancelled) return;
    net::FetchHead head;
    head.status = status;
    head.headers = std::move(headers);
    head.content_length = length;
    head.ends_with_connection = ends_with_connection;
    if (auto uri = http::parse_uri(a.request.url)) head.final_uri = std::move(*uri);
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
  /// The whole response.
  static void deliver(Asked& a, const ScriptedResponse& response) {
    head(a, response.status, response.headers, response.content_length);
    bytes(a, response.body);
    done(a);
  }

  std::size_t count() {
    const std::lock_guard lock(arrived.mutex());
    return all_.size();
  }
  std::shared_ptr<Asked> at(std::size_t i) {
    const std::lock_guard lock(arrived.mutex());
    return i < all_.size() ? all_[i] : nullptr;
  }
  /// The requests from the first one on.
  std::vector<net::FetchRequest> requests() {
    const std::lock_guard lock(arrived.mutex());
    std::vector<net::FetchRequest> requests;
    for (const auto& asked : all_) requests.push_back(asked->request);
    return requests;
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
    ScriptedFetch(net::EventLoop& loop, std::shared_ptr<Asked> asked) : loop_(loop), asked_(std::move(asked)) {}
    ~ScriptedFetch() override {
      asked_->cancelled = true;
      asked_->done_later = {};
      asked_->handlers = {};
    }
    void resume() override {
      loop_.post([asked = asked_] {
        if (asked->cancelled || !asked->paused) return;
        asked->paused = false;
        const auto again = std::exchange(asked->refused_bytes, {});
        bytes(*asked, again);
        if (!asked->paused && asked->done_later) std::exchange(asked->done_later, {})();
      });
    }

   private:
    net::EventLoop& loop_;
    std::shared_ptr<Asked> asked_;
  };

  net::EventLoop& loop_;
  const Script script_;
  std::vector<std::shared_ptr<Asked>> all_;
};

}  // namespace tribune::test
