#pragma once
// The embedded store of accounts on tables of its own.

#include <memory>

#include "accounts/embedded_account_store.h"
#include "support/folder.h"
#include "support/silent_log.h"

namespace tribune::test {

/// Null when it cannot be opened.
inline std::unique_ptr<accounts::AccountStore> open_accounts(const Folder& folder) {
  store::TransactionalStoreOptions options;
  options.directory = folder.path();
  options.name = "accounts";
  for (const auto table : accounts::account_tables()) options.tables.emplace_back(table);
  options.max_bytes = 64 << 20;
  auto tables = store::TransactionalStore::open(options, silent_log());
  return tables ? accounts::make_embedded_account_store(std::move(*tables)) : nullptr;
}

}  // namespace tribune::test
