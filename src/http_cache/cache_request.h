#pragma once
// One client's request to the plain cache: lookup, transfer from the origin, response.
//
// States, and what enters them
//   looking    begin() looks for a stored response
//   following  a transfer is read: its own, or one that another request began           (looking)
//   passing    the head was sent, and the body follows as it arrives                    (the transfer)
//   over       on_over was called; destroyed by a later call of the loop                (any)
// A transfer that fails, or that is a verdict on the request that began it, sends its followers back to looking, where
// the first of them begins the next transfer. Each follower does so once.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "http/cache_status.h"
#include "http_cache/http_cache_settings.h"
#include "http_cache/origin_fetch.h"
#include "http_cache/origin_request.h"
#include "http_cache/origin_transfer.h"
#include "http_cache/request_variants.h"
#include "http_cache/stored_response.h"
#include "net/event_loop.h"
#include "net/server/exchange.h"

namespace tribune::http_cache {

/// The objects that a request uses. They outlive it.
struct CacheRequestContext {
  const base::Clock& clock;
  net::EventLoop& loop;
  SharedState& state;
  std::function<void(FetchOrder, std::shared_ptr<OriginTransfer>)> fetch;  // begins an OriginFetch on this worker
};

/// Owned by one worker.
class CacheRequest {
 public:
  CacheRequest(CacheRequestContext, std::shared_ptr<const HttpCacheSettings>, OriginRequest,
               std::unique_ptr<net::Exchange>, std::function<void()> on_over);

  void begin();

 private:
  bool answered_without_lookup();
  void look();
  void find_stored();
  bool answered_from_store();
  void revalidate_in_background();
  bool may_share() const;
  bool leaves_conditions_to_origin() const;
  void ask_with_others();
  void ask_alone();
  FetchOrder order() const;
  void follow(std::shared_ptr<OriginTransfer>, bool leads);

  void on_change();
  void on_refused(const TransferReader::View&);
  void on_failed(const TransferReader::View&);
  void on_confirmed(const TransferReader::View&);
  bool may_have(const StoredResponse&);
  bool began(const TransferReader::View&);
  bool is_answered_by_conditions(http::Response&);
  void pass_body(bool is_whole);
  void write(http::Body);
  void go_on_alone(const TransferReader::View&);
  bool continues_same_body(const TransferReader::View&) const;
  void look_again();

  void answer(const StoredResponsePtr&, http::CacheStatus, const http::Headers& own_fields = {});
  void answer_failure(const base::Error&);
  void cut();
  std::int64_t ttl_of(const http::StoredHead&) const;
  bool is_expired_error(const http::StoredHead&) const;
  std::chrono::nanoseconds error_lifetime_left(const http::StoredHead&) const;
  void end();

  CacheRequestContext context_;
  std::shared_ptr<const HttpCacheSettings> settings_;
  const OriginRequest asked_;
  const http::Request& request_;             // of asked_
  std::unique_ptr<net::Exchange> exchange_;  // null: the client has left, or the response is complete
  std::function<void()> on_over_;
  const std::string& key_;  // of asked_
  RequestVariants variants_;
  StoredResponsePtr stored_;   // may be validated, or served if the origin fails
  StoredResponsePtr example_;  // a response of this URI for other requests; it names the fields in Vary
  bool validates_ = false;
  http::Forward why_ = http::Forward::uri_miss;
  std::unique_ptr<TransferReader> reader_;
  bool has_looked_again_ = false;
  bool has_met_variant_ = false;    // a transfer turned out to be of another variant
  bool has_begun_ = false;          // the head was sent
  bool is_draining_ = false;        // when_drained is pending
  std::uint64_t written_ = 0;       // bytes of the body that were written to the exchange
  std::optional<std::string> tag_;  // the strong ETag of the body that a transfer of its own continues
  std::uint64_t skip_ = 0;          // bytes of that transfer that the client already has
  bool is_over_ = false;
};

}  // namespace tribune::http_cache
