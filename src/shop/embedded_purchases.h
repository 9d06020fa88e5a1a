#pragma once
// Purchases and what they grant in the tables of the embedded store.
//
// Tables and keys
//   purchases         {account}/{time, descending}/{purchase}   every purchase; those of deleted accounts stay
//   purchase_places   {purchase}                                its key in `purchases`
//   pending           {deadline}/{purchase}                     those whose payment is not decided
//   entitlements      {account}/{time}/{purchase}               of paid purchases that grant channels

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shop/embedded_outcomes.h"
#include "shop/shop_store.h"
#include "store/transactional_store.h"

namespace tribune::shop {

inline constexpr std::string_view kPurchases = "purchases", kPurchasePlaces = "purchase_places", kPending = "pending",
                                  kEntitlements = "entitlements";

// As the functions of ShopStore; `now` of an order is whole milliseconds.
Decided<Purchase> purchase_in(store::WriteTransaction&, const PurchaseOrder&);
Outcome<Purchase> settle_in(store::WriteTransaction&, const PaymentResult&);
std::size_t fail_overdue_in(store::WriteTransaction&, base::WallTime now);
Decided<Purchase> refund_in(store::WriteTransaction&, const RefundOrder&);

std::optional<Purchase> find_purchase_in(store::ReadTransaction&, PurchaseId);
PurchasePage purchases_in(store::ReadTransaction&, AccountId, std::string_view from, std::size_t limit);
/// Whether the text is one that PurchasePage::next may hold.
bool is_purchase_cursor(std::string_view text);
std::vector<Entitlement> entitlements_in(store::ReadTransaction&, AccountId, base::WallTime now);

}  // namespace tribune::shop
