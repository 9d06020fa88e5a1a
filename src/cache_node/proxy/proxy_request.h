#pragma once
// One request's way through the plain cache: found, asked again, fetched, kept, answered.
//
// Lifetime
//   looking    begin(): the store is asked                                              (the proxy)
//   waiting    another request fetches the same; begin() runs again when it is over     (the other request)
//   asking     the origin was asked, no head yet                                        (looking)
//   settling   the head was good; what comes in the same turn of the loop is looked at before the client hears of it
//   (the origin) passing    head and body go to the client; the body, if it may, is kept             (the next turn, or
//   enough bytes) over       on_over ran; destroyed by a later call of the loop                       (any)

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "cache_node/proxy/proxy_question.h"
#include "cache_node/proxy/proxy_settings.h"
#include "cache_node/proxy/proxy_store.h"
#include "http/cache_status.h"
#include "http/storing.h"
#include "net/client/http_client.h"
#include "net/event_loop.h"
#include "net/server/exchange.h"

namespace tribune::cache_node {

/// Fetches that further requests for the same URI wait for. Owned by one worker.
class RequestCoalescer {
 public:
  bool is_led(const std::string& key) const { return waiting_.contains(key); }
  void lead(const std::string& key) { waiting_.try_emplace(key); }
  void wait(const std::string& key, std::function<void()> on_over) { waiting_[key].push_back(std::move(on_over)); }
  std::vector<std::function<void()>> over(const std::string& key) {
    auto node = waiting_.extract(key);
    return node ? std::move(node.mapped()) : std::vector<std::function<void()>>{};
  }

 private:
  std::unordered_map<std::string, std::vector<std::function<void()>>> waiting_;
};

/// What a request needs; all of it outlives it.
struct ProxyTools {
  const base::Clock& clock;
  net::EventLoop& loop;
  net::HttpClient& client;
  ProxyStore& store;
  RequestCoalescer& coalescer;
  std::string_view id;                                           // of the node, in Cache-Status and Via
  std::function<void(ProxyQuestion, ProxyEntryPtr)> revalidate;  // in the background
};

/// Owned by one worker.
class ProxyRequest {
 public:
  ProxyRequest(ProxyTools, std::shared_ptr<const ProxySettings>, ProxyQuestion, std::unique_ptr<net::Exchange>,
               std::function<void()> on_over);
  ~ProxyRequest();

  void begin();
  /// Asks the origin whether the entry is still good, for nobody but the store, whose renewal it ends.
  void revalidate(ProxyEntryPtr);

 private:
  enum class Found { answered, waits, ask };
  bool refused();
  Found look();
  void find_stored();
  bool may_share() const;
  void ask_origin(http::Forward why);
  net::FetchRequest origin_request() const;
  void add_conditions(http::Headers&) const;

  void on_head(const net::FetchHead&);
  bool answered_without_body(const http::StoredHead&);
  void take_effects(const http::StoredHead&);
  void decide_keeping(const http::StoredHead&, const net::FetchHead&);
  void pass_head(bool is_whole);
  net::Flow on_body(std::string_view);
  bool has_room(std::size_t bytes);
  void pass_on();
  void pass_on_when_drained();
  void on_done(base::Result<void>);
  void keep();
  void write_rest();
  bool is_kept_whole() const;
  void drop_body();

  void answer(const ProxyEntryPtr&, http::CacheStatus);
  void refuse(const base::Error&);
  bool is_stand_in() const;
  http::FreshnessRules rules() const;
  std::int64_t ttl_of(const http::StoredHead&) const;
  std::chrono::nanoseconds left_of_error(const http::StoredHead&) const;
  void release_waiting();
  void end();

  ProxyTools tools_;
  std::shared_ptr<const ProxySettings> settings_;
  ProxyQuestion question_;
  const http::Request& request_;  // the question's
  std::unique_ptr<net::Exchange> exchange_;
  std::function<void()> on_over_;
  const std::string& key_;  // the question's
  std::unique_ptr<net::Fetch> fetch_;
  ProxyEntryPtr stored_;    // what is asked about, or may stand in
  ProxyEntryPtr renewing_;  // what the store must hear that it is asked about no longer
  struct Settling {
    http::StoredHead response;
    std::optional<std::uint64_t> length;
  };
  std::optional<Settling> settling_;  // the head, until the client has it
  net::Timer settle_;
  bool validates_ = false;
  bool leads_ = false;
  bool has_waited_ = false;
  bool is_over_ = false;
  http::Forward why_ = http::Forward::uri_miss;
  base::WallTime requested_;
  std::shared_ptr<ProxyEntry> kept_;  // the response that arrives, while it may be kept
  std::string body_;          // of it, or what came while the head settles; the client reads along, however slow it is
  std::size_t passed_ = 0;    // how much of that the client's exchange has
  bool is_draining_ = false;  // when_drained is pending
  std::uint64_t room_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace tribune::cache_node
