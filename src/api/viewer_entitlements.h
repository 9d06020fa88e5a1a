#pragma once
// Who a viewer is, and whether it may watch: for a request for access, and for the balancers that ask again while
// sessions of paid channels last (contracts/entitlement_check.h).

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "accounts/account_service.h"
#include "api/catalogue_pages.h"
#include "api/deferred_reply.h"
#include "api/session_gate.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/published.h"
#include "base/signing.h"
#include "contracts/access_request.h"
#include "contracts/entitlement_check.h"
#include "runtime/role.h"
#include "shop/shop_service.h"

namespace tribune::api {

/// Any thread; each request stays on its worker. Destroyed after the workers' loops have ended.
class ViewerEntitlements {
 public:
  /// The parts outlive it.
  ViewerEntitlements(accounts::AccountService&, shop::ShopService&, SessionGate&, const CataloguePages&,
                     std::chrono::milliseconds clock_skew, runtime::Services&);

  /// POST kEntitlementCheckPath.
  runtime::Route route();
  /// The event's keys, with which the checks are signed. Before the first call every check is refused.
  void set_keys(std::shared_ptr<const base::KeyRing> keys) { keys_.publish(std::move(keys)); }

  using OnIdentified = std::function<void(std::unique_ptr<net::Exchange>, contracts::AccessRequest)>;
  /// Sets account, device and `entitled` of a request that has an access token, and passes it on, on the worker; or
  /// refuses the token.
  void identify(runtime::Worker&, std::unique_ptr<net::Exchange>, contracts::AccessRequest, OnIdentified);

 private:
  class Batch;

  void check(runtime::Worker&, std::unique_ptr<net::Exchange>);
  base::Result<contracts::EntitlementCheck> authenticated(const http::Request&) const;
  contracts::ChannelOffers offers() const;
  bool listed_as_paid(std::string_view channel) const;
  http::Response answer_with_verdicts(const std::string& nonce, const contracts::EntitlementAnswer&) const;

  accounts::AccountService& service_;
  shop::ShopService& shop_;
  SessionGate& gate_;
  const CataloguePages& pages_;
  const base::Clock& clock_;
  const std::chrono::milliseconds clock_skew_;
  base::Counter answered_, refused_, failed_;
  base::Published<base::KeyRing> keys_{nullptr};
};

}  // namespace tribune::api
