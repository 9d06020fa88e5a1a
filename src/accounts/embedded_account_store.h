#pragma once
// The store of accounts in this process, on the transactional tables of store/.

#include <memory>
#include <string>

#include "accounts/account_store.h"
#include "base/log.h"
#include "base/result.h"

namespace tribune::accounts {

/// Opens or creates the store in a directory that no other process uses, of at most `max_bytes` on disk. Blocks.
/// Errors: those of store::TransactionalStore::open(): a damaged file and one of a newer schema are refused.
base::Result<std::unique_ptr<AccountStore>> open_embedded_store(const std::string& directory, std::uint64_t max_bytes,
                                                                base::Log&);

}  // namespace tribune::accounts
