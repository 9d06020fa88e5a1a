#pragma once
// One request to the plain cache: lookup, revalidation or fetch, storing, response.
//
// States, and what enters them
//   looking     begin() looks for a stored response
//   waiting     another request fetches the same URI; the lookup is repeated when that fetch ends
//   asking      the request was sent to the origin, and no head has arrived        (looking)
//   settling    the head was accepted; body bytes and errors that arrive in the same turn of the loop are examined
//               before the client receives the head                                (the origin)
//   passing     head and body go to the client; the body is stored if it may be    (the next turn, or 256 KiB of body)
//   over        on_over was called; destroyed by a later call of the loop          (any)

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "http/cache_status.h"
#include "http/storing.h"
#include "http_cache/http_cache_settings.h"
#include "http_cache/origin_request.h"
#include "http_cache/request_coalescer.h"
#include "http_cache/response_store.h"
#include "http_cache/stored_response.h"
#include "net/client/http_client.h"
#include "net/event_loop.h"
#include "net/server/exchange.h"

namespace tribune::http_cache {

/// The objects that a request uses. They outlive it.
struct CacheRequestContext {
  const base::Clock& clock;
  net::EventLoop& loop;
  net::HttpClient& client;
  ResponseStore& store;
  RequestCoalescer& coalescer;
  std::function<void(OriginRequest, StoredResponsePtr)> revalidate;  // revalidates in the background
};

/// Owned by one worker.
class CacheRequest {
 public:
  CacheRequest(CacheRequestContext, std::shared_ptr<const HttpCacheSettings>, OriginRequest,
               std::unique_ptr<net::Exchange>, std::function<void()> on_over);
  ~CacheRequest();

  void begin();
  /// Revalidates a stored response without a client, and ends the revalidation at the store.
  void revalidate(StoredResponsePtr);

 private:
  enum class Lookup { answered, waits, ask };
  bool answered_without_lookup();
  Lookup look();
  void find_stored();
  bool may_share() const;
  void ask_origin(http::Forward why);
  net::FetchRequest fetch_request() const;
  void add_conditions(http::Headers&) const;

  void on_head(const net::FetchHead&);
  bool answered_without_body(const http::StoredHead&);
  void apply_effects(const http::StoredHead&);
  void decide_storing(const http::StoredHead&, const net::FetchHead&);
  void pass_head(bool is_whole);
  net::Flow on_body(std::string_view);
  bool reserve(std::size_t bytes);
  void pass_body();
  void pass_body_when_drained();
  void on_done(base::Result<void>);
  void store_response();
  void write_rest();
  bool is_body_whole() const;
  void drop_body();

  void answer(const StoredResponsePtr&, http::CacheStatus);
  void answer_failure(const base::Error&);
  bool may_serve_stale_for_error() const;
  http::FreshnessRules rules() const;
  std::int64_t ttl_of(const http::StoredHead&) const;
  std::chrono::nanoseconds error_lifetime_left(const http::StoredHead&) const;
  void release_waiting();
  void end();

  CacheRequestContext context_;
  std::shared_ptr<const HttpCacheSettings> settings_;
  const OriginRequest asked_;
  const http::Request& request_;             // of asked_
  std::unique_ptr<net::Exchange> exchange_;  // null: no client, or the client has left
  std::function<void()> on_over_;
  const std::string& key_;  // of asked_
  std::unique_ptr<net::Fetch> fetch_;
  StoredResponsePtr stored_;        // being revalidated, or may be served if the origin fails
  StoredResponsePtr revalidating_;  // the response whose revalidation this request ends at the store
  struct Settling {
    http::StoredHead response;
    std::optional<std::uint64_t> length;
  };
  std::optional<Settling> settling_;  // the head, until it is sent to the client
  net::Timer settle_;
  bool validates_ = false;
  bool leads_ = false;
  bool has_waited_ = false;
  bool is_over_ = false;
  http::Forward why_ = http::Forward::uri_miss;
  base::WallTime requested_;
  std::shared_ptr<StoredResponse> storing_;  // the response that is being received, while it may be stored
  /// The body of storing_, or the bytes that arrived while settling. A slow client does not slow its growth.
  std::string body_;
  std::size_t passed_ = 0;      // bytes of body_ that were written to the exchange
  bool is_draining_ = false;    // when_drained is pending
  std::uint64_t reserved_ = 0;  // at the store
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace tribune::http_cache
