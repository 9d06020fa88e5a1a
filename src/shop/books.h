#pragma once
// The books: an append-only journal of double entries. Each transaction has postings to two or more ledgers that sum to
// zero for each currency, a number that is one more than that of the transaction before, and a digest that covers it
// and the digest before it, so that a transaction that was removed, changed or inserted is found from the journal
// alone.
//
// Ledgers. An amount above zero is what the ledger received.
//   viewer:{account}   the prepaid balance of an account
//   sales              what was sold
//   vouchers           what was paid in by vouchers; below zero
//   operator           what operators paid in, less what they took out
//   till               what was paid at the till
//
// Values and pure functions.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "accounts/account.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "shop/money.h"

namespace tribune::shop {

struct Posting {
  std::string ledger;
  Money money;
  bool operator==(const Posting&) const = default;
};

enum class JournalKind { purchase, refund, voucher, adjustment };

std::string_view to_string(JournalKind);
std::optional<JournalKind> parse_journal_kind(std::string_view text);

struct JournalTransaction {
  std::uint64_t number = 0;  // from 1
  base::WallTime at{};       // to the millisecond
  JournalKind kind = JournalKind::purchase;
  std::string reference;  // the id of the purchase, the hash of the voucher, or the operator's reason
  std::vector<Posting> postings;
  std::string digest;  // 64 hex digits; see digest_of()
  bool operator==(const JournalTransaction&) const = default;
};

inline constexpr std::string_view kSales = "sales", kVouchers = "vouchers", kOperator = "operator", kTill = "till";
std::string viewer_ledger(accounts::AccountId);

/// SHA-256 of the digest before ("" for the first) and of everything in the transaction but its digest. It is the same
/// for a transaction that was written and read again, also when its reference is not UTF-8.
std::string digest_of(std::string_view digest_before, const JournalTransaction&);

/// The form in which it is stored, listed and exported.
std::string to_json(const JournalTransaction&);
/// Errors: protocol.
base::Result<JournalTransaction> journal_transaction_of_json(std::string_view text);
base::Result<JournalTransaction> journal_transaction_of(const base::json::Value&);

/// Checks a journal, transaction by transaction from the first one.
class BooksCheck {
 public:
  /// Errors: protocol, whose text names the number and what is wrong: a gap, a sum that is not zero, fewer than two
  /// postings, a digest that is not right, an amount beyond kMaxAmount, a balance of a viewer below zero.
  base::Status add(const JournalTransaction&);

  std::uint64_t transactions() const { return last_number_; }
  /// What each ledger has, by ledger and currency; viewers' ledgers that have nothing are not in it.
  const std::map<std::pair<std::string, std::string>, std::int64_t>& ledgers() const { return ledgers_; }

 private:
  std::uint64_t last_number_ = 0;
  std::string digest_;
  std::map<std::pair<std::string, std::string>, std::int64_t> ledgers_;
};

}  // namespace tribune::shop
