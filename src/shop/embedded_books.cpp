#include "shop/embedded_books.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "shop/shop_records.h"

namespace tribune::shop {
namespace {

using store::ReadTransaction;
using store::WriteTransaction;

constexpr std::string_view kJournalCounter = "journal";
constexpr std::size_t kDigestCharacters = 64;

std::string balance_key(AccountId account, std::string_view currency) {
  return fmt::format("{}/{}", accounts::to_text(account), currency);
}

base::Status change_balance(WriteTransaction& t, const Party& party, const Money& money, std::int64_t sign) {
  if (party.viewer == 0) return {};
  const auto balance = balance_in(t, party.viewer, money.currency);
  if (!balance) return tl::unexpected(balance.error());
  t.put(kBalances, balance_key(party.viewer, money.currency), std::to_string(balance->amount + sign * money.amount));
  return {};
}

/// "{number} {digest}".
struct LastTransaction {
  std::uint64_t number = 0;
  std::string digest;
};

base::Result<LastTransaction> last_transaction_in(ReadTransaction& t) {
  const auto text = t.get(kShopCounters, kJournalCounter);
  if (!text) return LastTransaction{};
  const auto space = std::min(text->find(' '), text->size());
  const auto number = number_of_record(text->substr(0, space));
  if (!number || *number < 1 || text->size() - space != 1 + kDigestCharacters)
    return unreadable_record(kShopCounters, kJournalCounter);
  return LastTransaction{static_cast<std::uint64_t>(*number), std::string(text->substr(space + 1))};
}

}  // namespace

Party viewer_party(AccountId account) { return {viewer_ledger(account), account}; }

base::Result<Money> balance_in(ReadTransaction& t, AccountId account, const std::string& currency) {
  const auto key = balance_key(account, currency);
  const auto record = t.get(kBalances, key);
  if (!record) return Money{0, currency};
  const auto amount = number_of_record(*record);
  if (!amount) return unreadable_record(kBalances, key);
  return Money{*amount, currency};
}

base::Result<std::vector<Money>> balances_in(ReadTransaction& t, AccountId account) {
  std::vector<Money> balances;
  std::optional<std::string> unreadable;
  const auto prefix = balance_key(account, "");
  t.scan(kBalances, prefix, [&](std::string_view key, std::string_view record) {
    if (!key.starts_with(prefix)) return false;
    const auto amount = number_of_record(record);
    if (!amount) unreadable = key;
    balances.push_back({amount.value_or(0), std::string(key.substr(prefix.size()))});
    return true;
  });
  if (unreadable) return unreadable_record(kBalances, *unreadable);
  return balances;
}

base::Status book(WriteTransaction& t, const MoneyTransfer& transfer) {
  const auto last = last_transaction_in(t);
  if (!last) return tl::unexpected(last.error());
  JournalTransaction entry;
  entry.number = last->number + 1;
  entry.at = transfer.now;
  entry.kind = transfer.kind;
  entry.reference = transfer.reference;
  auto taken = transfer.money;
  taken.amount = -taken.amount;
  entry.postings = {{transfer.to.ledger, transfer.money}, {transfer.from.ledger, taken}};
  entry.digest = digest_of(last->digest, entry);
  t.put(kJournal, base::to_hex64(entry.number), to_json(entry));
  t.put(kShopCounters, kJournalCounter, fmt::format("{} {}", entry.number, entry.digest));
  if (auto changed = change_balance(t, transfer.to, transfer.money, 1); !changed) return changed;
  return change_balance(t, transfer.from, transfer.money, -1);
}

std::vector<JournalTransaction> journal_in(ReadTransaction& t, std::uint64_t from, std::size_t limit) {
  std::vector<JournalTransaction> found;
  t.scan(kJournal, base::to_hex64(from), [&](std::string_view, std::string_view record) {
    if (found.size() == limit) return false;
    auto transaction = journal_transaction_of_json(record);
    if (!transaction) return false;
    found.push_back(std::move(*transaction));
    return true;
  });
  return found;
}

}  // namespace tribune::shop
