#pragma once
// The endpoints of operators for purchases, balances, vouchers and the books, on the admin listener.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "accounts/account_service.h"
#include "runtime/role.h"
#include "shop/shop_service.h"

namespace tribune::api {

/// Any thread; each request stays on its worker. Destroyed after the workers' loops have ended.
class SalesAdmin {
 public:
  SalesAdmin(accounts::AccountService& service, shop::ShopService& shop) : service_(service), shop_(shop) {}

  std::vector<runtime::Route> routes();

 private:
  using Exchange = std::unique_ptr<net::Exchange>;

  void show_purchase(runtime::Worker&, Exchange, std::string_view id);
  void settle(runtime::Worker&, Exchange, std::string_view id);
  void refund(runtime::Worker&, Exchange, std::string_view id);
  void list_purchases(runtime::Worker&, Exchange, std::string_view login);
  void show_balance(runtime::Worker&, Exchange, std::string_view login);
  void adjust_balance(runtime::Worker&, Exchange, std::string_view login);
  void list_vouchers(runtime::Worker&, Exchange);
  void create_vouchers(runtime::Worker&, Exchange);
  void void_vouchers(runtime::Worker&, Exchange, std::string_view batch);
  void journal(runtime::Worker&, Exchange);

  accounts::AccountService& service_;
  shop::ShopService& shop_;
};

}  // namespace tribune::api
