#pragma once
// The stores of accounts and of the shop in this process. They share one set of tables, so that a purchase sees in its
// own transaction whether the account still exists.

#include <cstdint>
#include <memory>
#include <string>

#include "accounts/account_store.h"
#include "base/log.h"
#include "base/result.h"
#include "shop/shop_store.h"

namespace tribune::shop {

struct EmbeddedStores {
  std::unique_ptr<accounts::AccountStore> accounts;
  std::unique_ptr<ShopStore> shop;
};

/// Opens or creates the tables in a directory that no other process uses, of at most `max_bytes` on disk. Blocks.
/// Errors: those of store::TransactionalStore::open(): a damaged file and one of a newer schema are refused.
base::Result<EmbeddedStores> open_embedded_stores(const std::string& directory, std::uint64_t max_bytes, base::Log&);

}  // namespace tribune::shop
