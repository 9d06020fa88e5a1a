#include "shop/embedded_books.h"

#include <fmt/format.h>

#include <charconv>

#include "base/encoding.h"

namespace tribune::shop {
namespace {

using store::ReadTransaction;
using store::WriteTransaction;

constexpr std::string_view kJournalCounter = "journal";

std::string balance_key(AccountId account, std::string_view currency) {
  return fmt::format("{}/{}", accounts::to_text(account), currency);
}

std::int64_t amount_of(std::string_view text) {
  std::int64_t amount = 0;
  std::from_chars(text.data(), text.data() + text.size(), amount);
  return amount;
}

void change_balance(WriteTransaction& t, const Party& party, const Money& money, std::int64_t sign) {
  if (party.viewer == 0) return;
  const auto balance = balance_in(t, party.viewer, money.currency).amount + sign * money.amount;
  t.put(kBalances, balance_key(party.viewer, money.currency), std::to_string(balance));
}

/// "{number} {digest}".
struct LastTransaction {
  std::uint64_t number = 0;
  std::string digest;
};

LastTransaction last_transaction_in(ReadTransaction& t) {
  const auto text = t.get(kShopCounters, kJournalCounter).value_or("");
  const auto space = text.find(' ');
  if (space == std::string_view::npos) return {};
  return {static_cast<std::uint64_t>(amount_of(text.substr(0, space))), std::string(text.substr(space + 1))};
}

}  // namespace

Party viewer_party(AccountId account) { return {viewer_ledger(account), account}; }

Money balance_in(ReadTransaction& t, AccountId account, const std::string& currency) {
  return {amount_of(t.get(kBalances, balance_key(account, currency)).value_or("")), currency};
}

std::vector<Money> balances_in(ReadTransaction& t, AccountId account) {
  std::vector<Money> balances;
  const auto prefix = balance_key(account, "");
  t.scan(kBalances, prefix, [&](std::string_view key, std::string_view amount) {
    if (!key.starts_with(prefix)) return false;
    balances.push_back({amount_of(amount), std::string(key.substr(prefix.size()))});
    return true;
  });
  return balances;
}

void book(WriteTransaction& t, const MoneyTransfer& transfer) {
  const auto last = last_transaction_in(t);
  JournalTransaction entry;
  entry.number = last.number + 1;
  entry.at = transfer.now;
  entry.kind = transfer.kind;
  entry.reference = transfer.reference;
  auto taken = transfer.money;
  taken.amount = -taken.amount;
  entry.postings = {{transfer.to.ledger, transfer.money}, {transfer.from.ledger, taken}};
  entry.digest = digest_of(last.digest, entry);
  t.put(kJournal, base::to_hex64(entry.number), to_json(entry));
  t.put(kShopCounters, kJournalCounter, fmt::format("{} {}", entry.number, entry.digest));
  change_balance(t, transfer.to, transfer.money, 1);
  change_balance(t, transfer.from, transfer.money, -1);
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
