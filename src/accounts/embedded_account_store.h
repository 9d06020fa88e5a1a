#pragma once
// The store of accounts in this process, on the transactional tables of store/.

#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "accounts/account_store.h"
#include "store/transactional_store.h"

namespace tribune::accounts {

/// The tables that it uses, to be named when the transactional store is opened.
std::span<const std::string_view> account_tables();

std::unique_ptr<AccountStore> make_embedded_account_store(std::shared_ptr<store::TransactionalStore>);

/// For other stores on the same tables.
std::optional<Account> account_in(store::ReadTransaction&, AccountId);

}  // namespace tribune::accounts
