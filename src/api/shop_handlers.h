#pragma once
// The endpoints of the shop: channels, products, purchases, vouchers, the balance, what is owned. They parse a request,
// call the shop's service, and write its answer.

#include <memory>
#include <string>
#include <vector>

#include "accounts/account_service.h"
#include "api/catalogue_pages.h"
#include "api/deferred_reply.h"
#include "api/session_gate.h"
#include "base/clock.h"
#include "runtime/role.h"
#include "shop/shop_service.h"

namespace tribune::api {

/// GET /api/v1/channels for a request without an account.
http::Response channel_list(const http::Request&, const CataloguePageSet&);

/// Any thread; each request stays on its worker. Destroyed after the workers' loops have ended.
class ShopHandlers {
 public:
  ShopHandlers(accounts::AccountService&, shop::ShopService&, SessionGate&, const CataloguePages&, const base::Clock&);

  std::vector<runtime::Route> routes();
  /// GET /api/v1/channels of a request with an Authorization field.
  void channels(runtime::Worker&, std::unique_ptr<net::Exchange>);

 private:
  using Exchange = std::unique_ptr<net::Exchange>;
  using Claims = contracts::AccountClaims;

  void products(Exchange);
  void product(Exchange, std::string_view id);
  void buy(runtime::Worker&, Exchange, const Claims&);
  void purchases(runtime::Worker&, Exchange, const Claims&);
  void purchase(runtime::Worker&, Exchange, const Claims&, std::string_view id);
  void redeem(runtime::Worker&, Exchange, const Claims&);
  void balance(runtime::Worker&, Exchange, const Claims&);
  void entitlements(runtime::Worker&, Exchange, const Claims&);
  void reply_with_purchase(const DeferredReply&, const Claims&, shop::Outcome<shop::Purchase>);
  void channels_of_account(runtime::Worker&, Exchange, const std::shared_ptr<const Claims>&);

  accounts::AccountService& service_;
  shop::ShopService& shop_;
  SessionGate& gate_;
  const CataloguePages& pages_;
  const base::Clock& clock_;
};

}  // namespace tribune::api
