#pragma once
// Purchases in the tables of the embedded store.
//
// Tables and keys
//   purchases            {account}/{time, descending}/{purchase}   every purchase; those of deleted accounts stay
//   purchase_places      {purchase}                                its key in `purchases`
//   pending              {deadline}/{purchase}                     those whose payment is not decided
//   pending_of_account   {account}/{purchase}                      the same ones

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shop/embedded_outcomes.h"
#include "shop/shop_store.h"
#include "store/transactional_store.h"

namespace tribune::shop {

inline constexpr std::string_view kPurchases = "purchases", kPurchasePlaces = "purchase_places", kPending = "pending",
                                  kPendingOfAccount = "pending_of_account";

// As the functions of ShopStore; `now` of an order is whole milliseconds. Errors: protocol for a record that cannot be
// read.
Decided<Purchase> purchase_in(store::WriteTransaction&, const PurchaseOrder&);
base::Result<Outcome<Purchase>> settle_in(store::WriteTransaction&, const PaymentResult&);
base::Result<std::size_t> fail_overdue_in(store::WriteTransaction&, base::WallTime now);
Decided<Purchase> refund_in(store::WriteTransaction&, const RefundOrder&);

base::Result<std::optional<Purchase>> find_purchase_in(store::ReadTransaction&, PurchaseId);
PurchasePage purchases_in(store::ReadTransaction&, AccountId, std::string_view from, std::size_t limit);
/// Whether the text is one that PurchasePage::next may hold.
bool is_purchase_cursor(std::string_view text);

}  // namespace tribune::shop
