#pragma once
// Balances and the journal in the tables of the embedded store: each step writes both.
//
// Tables and keys
//   balances        {account}/{currency}     the amount
//   journal         {number}                 every transaction, to_json()
//   shop_counters   "journal"                number and digest of the last transaction

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shop/books.h"
#include "shop/purchase.h"
#include "store/transactional_store.h"

namespace tribune::shop {

inline constexpr std::string_view kBalances = "balances", kJournal = "journal", kShopCounters = "shop_counters";

/// One side of a transfer.
struct Party {
  std::string ledger;
  AccountId viewer = 0;  // whose ledger it is; 0: nobody's
};
Party viewer_party(AccountId);

struct MoneyTransfer {
  JournalKind kind = JournalKind::purchase;
  std::string reference;
  Party from, to;
  Money money;  // above 0
  base::WallTime now{};
};

/// Writes the transaction to the journal and to the balances of viewers among its parties. The caller has checked that
/// they stay between 0 and kMaxAmount. Errors: protocol for a record that cannot be read, as of the functions below.
base::Status book(store::WriteTransaction&, const MoneyTransfer&);

/// 0 when the account never had any.
base::Result<Money> balance_in(store::ReadTransaction&, AccountId, const std::string& currency);
base::Result<std::vector<Money>> balances_in(store::ReadTransaction&, AccountId);
/// At most `limit` transactions from this number on; ends before one that cannot be read.
std::vector<JournalTransaction> journal_in(store::ReadTransaction&, std::uint64_t from, std::size_t limit);

}  // namespace tribune::shop
