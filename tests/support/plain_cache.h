#pragma once
// A plain cache with scripted clients, in place of listeners and an origin.

#include <doctest/doctest.h>

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "http_cache/cache_request.h"
#include "http_cache/origin_fetch.h"
#include "runtime/task_set.h"
#include "support/fake_exchange.h"
#include "support/scripted_client.h"
#include "support/workers.h"

namespace tribune::test {

inline http_cache::HttpCacheSettings one_origin() {
  http_cache::HttpCacheSettings settings;
  settings.id = "plain";
  settings.origin = "http://origin.test";
  return settings;
}

/// A plain cache with scripted clients.
struct PlainCache {
  explicit PlainCache(http_cache::HttpCacheSettings of, std::size_t count = 1)
      : workers(count), settings(std::make_shared<const http_cache::HttpCacheSettings>(std::move(of))) {
    for (std::size_t i = 0; i < count; ++i) {
      requests.emplace_back(workers.worker(i).loop);
      fetches.emplace_back(workers.worker(i).loop);
    }
  }
  ~PlainCache() { workers.stop(); }

  struct Query {
    http::Method method = http::Method::get;
    std::string host = "cache.test";
    std::size_t worker = 0;
    bool slow = false;
    FakeExchange** out = nullptr;
    std::string body = {};
  };
  std::shared_ptr<RecordedResponse> ask(std::string path, http::Headers headers, Query query) {
    auto seen = std::make_shared<RecordedResponse>();
    workers.on(query.worker, [&] {
      auto& loop = workers.worker(query.worker).loop;
      http::Request request;
      request.method = query.method;
      request.path = std::move(path);
      request.host = std::move(query.host);
      request.headers = std::move(headers);
      request.client = "192.0.2.1";
      request.body = query.body;
      auto exchange = std::make_unique<FakeExchange>(loop, request, seen, query.slow);
      if (query.out) *query.out = exchange.get();
      auto asked = http_cache::to_origin_request(std::move(request), exchange->arrival(), *settings);
      http_cache::CacheRequestContext context{clock, loop, state,
                                              [this, at = query.worker](http_cache::FetchOrder order, auto transfer) {
                                                fetch(at, std::move(order), std::move(transfer));
                                              }};
      requests[query.worker]
          .add([&](std::function<void()> on_over) {
            return std::make_unique<http_cache::CacheRequest>(std::move(context), settings, std::move(asked),
                                                              std::move(exchange), std::move(on_over));
          })
          .begin();
    });
    return seen;
  }
  std::shared_ptr<RecordedResponse> ask(std::string path, http::Headers headers = {}) {
    return ask(std::move(path), std::move(headers), Query());
  }
  void fetch(std::size_t worker, http_cache::FetchOrder order, std::shared_ptr<http_cache::OriginTransfer> transfer) {
    const http_cache::OriginFetchContext context{clock, workers.worker(worker).loop, workers.client(worker), state};
    fetches[worker]
        .add([&](std::function<void()> on_over) {
          return std::make_unique<http_cache::OriginFetch>(context, settings, std::move(order), std::move(transfer),
                                                           std::move(on_over));
        })
        .begin();
  }
  /// A GET whose response arrives whole.
  std::shared_ptr<RecordedResponse> get(const std::string& path, http::Headers asked, const http::Headers& fields,
                                        const std::string& body, int status = 200) {
    const auto n = workers.client().count();
    auto seen = ask(path, std::move(asked));
    deliver(*origin(n), fields, body, status);
    CHECK(seen->wait_end());
    return seen;
  }
  /// A GET that must not cause a request to the origin.
  std::shared_ptr<RecordedResponse> hit(const std::string& path, http::Headers asked = {}) {
    const auto n = workers.client().count();
    auto seen = ask(path, std::move(asked));
    CHECK(seen->wait_end());
    CHECK(workers.client().count() == n);
    return seen;
  }
  void deliver(Asked& asked, const http::Headers& fields, const std::string& body, int status = 200) {
    workers.on(0, [&] { ScriptedClient::deliver(asked, {status, body, fields, body.size()}); });
  }
  std::shared_ptr<Asked> origin(std::size_t n = 0) {
    REQUIRE(workers.client().wait_for(n + 1));
    return workers.client().at(n);
  }
  void head(Asked& asked, std::uint64_t length,
            http::Headers headers = {{"Cache-Control", "max-age=60"}, {"Content-Type", "text/plain"}},
            int status = 200) {
    workers.on(0, [&] { ScriptedClient::head(asked, status, std::move(headers), length); });
  }
  void bytes(Asked& asked, std::string_view body) {
    workers.on(0, [&] { ScriptedClient::bytes(asked, body); });
  }
  void done(Asked& asked, base::Result<void> result = {}) {
    workers.on(0, [&] { ScriptedClient::done(asked, std::move(result)); });
  }
  /// A slow client on the first worker takes bytes until its response has ended.
  void drain_to_end(RecordedResponse& seen, FakeExchange* slow) {
    for (int i = 0; i < 100 && !seen.ended(); ++i)
      workers.on(0, [&] {
        if (!seen.ended()) slow->drain();
      });
  }
  /// The running requests of clients and to the origin.
  std::size_t under_way() {
    std::size_t count = 0;
    for (int turn = 0; turn < 4; ++turn)  // one that is over is destroyed by a later call of its loop
      for (std::size_t i = 0; i < workers.size(); ++i) workers.on(i, [] {});
    for (std::size_t i = 0; i < workers.size(); ++i)
      workers.on(i, [&] { count += requests[i].size() + fetches[i].size(); });
    return count;
  }

  base::ManualClock clock;
  Workers workers;
  http_cache::SharedState state{64 << 20};
  std::shared_ptr<const http_cache::HttpCacheSettings> settings;
  std::deque<runtime::TaskSet<http_cache::CacheRequest>> requests;
  std::deque<runtime::TaskSet<http_cache::OriginFetch>> fetches;
};

}  // namespace tribune::test
