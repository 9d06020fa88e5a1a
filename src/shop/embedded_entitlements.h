#pragma once
// What accounts own in the tables of the embedded store.
//
// Tables and keys
//   entitlements   {account}/{time}/{purchase}   of paid purchases that open channels; erased after their end

#include <string_view>
#include <vector>

#include "shop/shop_store.h"
#include "store/transactional_store.h"

namespace tribune::shop {

inline constexpr std::string_view kEntitlements = "entitlements";

/// Those that have not ended at `now`, in the order of their purchase.
std::vector<Entitlement> entitlements_in(store::ReadTransaction&, AccountId, base::WallTime now);

/// Puts what the paid purchase grants, and erases what has ended long ago, so that the table stays bounded.
void put_entitlement(store::WriteTransaction&, const Purchase&, base::WallTime now);
void erase_entitlement(store::WriteTransaction&, const Purchase&);

}  // namespace tribune::shop
