#pragma once
// Gathers what is stored about an account, for the export of one's own data.

#include <string>
#include <vector>

#include "accounts/account_service.h"
#include "shop/shop_service.h"

namespace tribune::api {

struct AccountExport {
  accounts::Account account;
  std::vector<accounts::Device> devices;
  std::vector<shop::Money> balances;
  std::vector<shop::Purchase> purchases;  // the newest first, at most kMaxExportedPurchases
  std::string next_purchases;             // where the rest begins; empty: there is none
};

inline constexpr std::size_t kMaxExportedPurchases = 5'000;

/// `done` is called once, on a thread of the store. Both services must outlive the call.
void gather_export(accounts::AccountService&, shop::ShopService&, accounts::AccountId,
                   accounts::Answered<AccountExport> done);

}  // namespace tribune::api
