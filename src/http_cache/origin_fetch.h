#pragma once
// One request to the origin: conditions, the effects of the response on the store, and the transfer to the clients.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "http_cache/http_cache_settings.h"
#include "http_cache/origin_request.h"
#include "http_cache/origin_transfer.h"
#include "http_cache/response_store.h"
#include "http_cache/running_transfers.h"
#include "http_cache/stored_response.h"
#include "http_cache/storing_rules.h"
#include "http_cache/uncacheable_keys.h"
#include "net/client/http_client.h"
#include "net/event_loop.h"

namespace tribune::http_cache {

/// What all requests of this cache share. Any thread.
struct SharedState {
  explicit SharedState(std::uint64_t max_bytes) : store(max_bytes) {}
  ResponseStore store;
  RunningTransfers running;
  UncacheableKeys uncacheable;
};

/// What is asked of the origin.
struct FetchOrder {
  OriginRequest asked;
  StoredResponsePtr stored;  // of the variant that the request selects, or a part of it; or null
  bool validates = false;    // asks whether `stored` is still current, in place of the client's conditions
  /// The client's conditions are sent as they are, and the response is not stored. Otherwise a GET is sent without
  /// them: the response to a condition would be no use to others.
  bool forwards_conditions = false;
  bool shared = false;  // the transfer is registered in RunningTransfers
};

/// The objects that a request to the origin uses. They outlive it.
struct OriginFetchContext {
  const base::Clock& clock;
  net::EventLoop& loop;
  net::HttpClient& client;
  SharedState& state;
};

/// Owned by one worker.
class OriginFetch {
 public:
  OriginFetch(OriginFetchContext, std::shared_ptr<const HttpCacheSettings>, FetchOrder, std::shared_ptr<OriginTransfer>,
              std::function<void()> on_over);
  ~OriginFetch();

  void begin();

 private:
  net::FetchRequest request() const;
  void set_conditions(http::Headers&) const;
  void on_head(const net::FetchHead&);
  bool is_over_with_head(const http::StoredHead&);
  void confirm(const http::StoredHead&);
  void apply_effects(const http::StoredHead&);
  void begin_transfer(http::StoredHead, const net::FetchHead&);
  net::Flow on_body(std::string_view);
  bool reserve(std::uint64_t total);
  void on_done(base::Result<void>);
  void store_response();
  void fail(base::Error, std::optional<int> status = {});
  void close_to_others();
  void end();

  OriginFetchContext context_;
  std::shared_ptr<const HttpCacheSettings> settings_;
  const FetchOrder order_;
  const http::Request& request_;  // of order_
  const std::string& key_;        // of order_
  std::shared_ptr<OriginTransfer> transfer_;
  std::function<void()> on_over_;
  std::unique_ptr<net::Fetch> fetch_;
  base::WallTime requested_;
  std::uint32_t generation_ = 0;                   // of the key when the origin was asked
  std::shared_ptr<const StoredResponse> storing_;  // while the response may be stored
  std::uint64_t received_ = 0;                     // bytes of its body
  std::uint64_t reserved_ = 0;                     // at the store
  bool is_over_ = false;
};

}  // namespace tribune::http_cache
