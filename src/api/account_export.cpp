#include "api/account_export.h"

#include <memory>
#include <utility>

namespace tribune::api {
namespace {

/// Each step passes the gathering on, or ends it with a refusal.
struct Gathering {
  accounts::AccountService& accounts;
  shop::ShopService& shop;
  accounts::Answered<AccountExport> done;
  AccountExport gathered;
};
using SharedGathering = std::shared_ptr<Gathering>;

void refuse_export(const Gathering& gathering, const shop::ShopError& error) {
  gathering.done(
      tl::unexpected(accounts::RefusedRequest{accounts::Refusal::unavailable, error.text, error.retry_after}));
}

void gather_purchases(const SharedGathering& gathering) {
  gathering->shop.purchases(gathering->gathered.account.id, "", kMaxExportedPurchases,
                            [gathering](shop::ShopAnswer<shop::PurchasePage> page) {
                              if (!page) return refuse_export(*gathering, page.error());
                              gathering->gathered.purchases = std::move(page->purchases);
                              gathering->gathered.next_purchases = std::move(page->next);
                              gathering->done(std::move(gathering->gathered));
                            });
}

void gather_balances(const SharedGathering& gathering) {
  gathering->shop.balances(gathering->gathered.account.id,
                           [gathering](shop::ShopAnswer<std::vector<shop::Money>> balances) {
                             if (!balances) return refuse_export(*gathering, balances.error());
                             gathering->gathered.balances = std::move(*balances);
                             gather_purchases(gathering);
                           });
}

void gather_devices(const SharedGathering& gathering) {
  gathering->accounts.devices(gathering->gathered.account.id,
                              [gathering](accounts::Answer<std::vector<accounts::Device>> devices) {
                                if (!devices) return gathering->done(tl::unexpected(std::move(devices.error())));
                                gathering->gathered.devices = std::move(*devices);
                                gather_balances(gathering);
                              });
}

}  // namespace

void gather_export(accounts::AccountService& accounts, shop::ShopService& shop, accounts::AccountId id,
                   accounts::Answered<AccountExport> done) {
  const auto gathering = std::make_shared<Gathering>(Gathering{accounts, shop, std::move(done), {}});
  accounts.account(id, [gathering](accounts::Answer<accounts::Account> account) {
    if (!account) return gathering->done(tl::unexpected(std::move(account.error())));
    gathering->gathered.account = std::move(*account);
    gather_devices(gathering);
  });
}

}  // namespace tribune::api
