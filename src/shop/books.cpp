#include "shop/books.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/encoding.h"
#include "base/json.h"
#include "base/rfc3339.h"
#include "base/signing.h"

namespace tribune::shop {
namespace {

using base::json::Kind;
using base::json::Value;

constexpr std::array<std::pair<JournalKind, std::string_view>, 4> kJournalKinds{
    {{JournalKind::purchase, "purchase"},
     {JournalKind::refund, "refund"},
     {JournalKind::voucher, "voucher"},
     {JournalKind::adjustment, "adjustment"}}};

constexpr std::string_view kViewerPrefix = "viewer:";

tl::unexpected<base::Error> wrong_books(std::string text) {
  return base::failure(base::ErrorKind::protocol, base::Fault::tribune, std::move(text));
}

/// The text as it is read from JSON: bytes that are not UTF-8 are replaced, so that what is read has the digest of what
/// was written.
std::string as_read(std::string_view text) {
  base::json::Writer w;
  w.begin_array().value(text).end_array();
  const auto parsed = base::json::parse(w.text());
  return parsed ? parsed->array.at(0).string : std::string(text);
}

/// Open: without the digest and the closing brace.
base::json::Writer undigested(const JournalTransaction& transaction) {
  base::json::Writer w;
  w.begin_object().member("number", transaction.number);
  w.member("at", base::rfc3339(transaction.at)).member("kind", to_string(transaction.kind));
  w.member("reference", as_read(transaction.reference)).key("postings").begin_array();
  for (const auto& posting : transaction.postings) {
    w.begin_object().member("ledger", posting.ledger);
    w.member("amount", posting.money.amount).member("currency", posting.money.currency).end_object();
  }
  w.end_array();
  return w;
}

std::optional<std::vector<Posting>> postings_of(const Value* list) {
  if (list == nullptr || !list->is(Kind::array)) return std::nullopt;
  std::vector<Posting> postings;
  for (const auto& item : list->array) {
    const auto ledger = item.text("ledger"), currency = item.text("currency");
    const auto amount = item.whole("amount");
    if (!ledger || !currency || !amount) return std::nullopt;
    postings.push_back({std::string(*ledger), {*amount, std::string(*currency)}});
  }
  return postings;
}

/// What is wrong with the postings by themselves.
std::string wrong_postings(const std::vector<Posting>& postings) {
  if (postings.size() < 2) return "has fewer than two postings";
  std::map<std::string, std::int64_t> sums;
  for (const auto& posting : postings) {
    const auto amount = posting.money.amount;
    if (amount > kMaxAmount || amount < -kMaxAmount) return "has an amount that is too large";
    if (!is_currency(posting.money.currency)) return "has a currency that is none";
    auto& sum = sums[posting.money.currency];
    if (__builtin_add_overflow(sum, amount, &sum)) return "has an amount that is too large";
  }
  for (const auto& [currency, sum] : sums)
    if (sum != 0) return fmt::format("does not sum to zero: {} {}", currency, sum);
  return "";
}

}  // namespace

std::string_view to_string(JournalKind kind) {
  return std::find_if(kJournalKinds.begin(), kJournalKinds.end(), [&](const auto& k) { return k.first == kind; })
      ->second;
}

std::optional<JournalKind> parse_journal_kind(std::string_view text) {
  const auto found =
      std::find_if(kJournalKinds.begin(), kJournalKinds.end(), [&](const auto& k) { return k.second == text; });
  if (found == kJournalKinds.end()) return std::nullopt;
  return found->first;
}

std::string viewer_ledger(accounts::AccountId account) {
  return std::string(kViewerPrefix) + accounts::to_text(account);
}

std::string digest_of(std::string_view digest_before, const JournalTransaction& transaction) {
  return base::to_hex(base::sha256(fmt::format("{}\n{}", digest_before, undigested(transaction).text())));
}

std::string to_json(const JournalTransaction& transaction) {
  auto w = undigested(transaction);
  return w.member("digest", transaction.digest).end_object().take();
}

base::Result<JournalTransaction> journal_transaction_of_json(std::string_view text) {
  const auto parsed = base::json::parse(text);
  if (!parsed) return wrong_books("a transaction is not JSON: " + parsed.error().text);
  return journal_transaction_of(*parsed);
}

base::Result<JournalTransaction> journal_transaction_of(const Value& value) {
  JournalTransaction made;
  const auto number = value.whole("number");
  const auto at = base::parse_iso8601(value.text("at").value_or(""));
  const auto kind = parse_journal_kind(value.text("kind").value_or(""));
  const auto reference = value.text("reference"), digest = value.text("digest");
  auto postings = postings_of(value.find("postings"));
  if (!number || *number < 1 || !at || !kind || !reference || !digest || !postings)
    return wrong_books(fmt::format("transaction {} lacks a member or has a wrong one", number.value_or(0)));
  made.number = static_cast<std::uint64_t>(*number);
  made.at = base::WallTime(at->time_since_epoch());
  made.kind = *kind;
  made.reference = std::string(*reference);
  made.postings = std::move(*postings);
  made.digest = std::string(*digest);
  return made;
}

base::Status BooksCheck::add(const JournalTransaction& transaction) {
  const auto wrong = [&](std::string_view what) {
    return wrong_books(fmt::format("transaction {} {}", transaction.number, what));
  };
  if (transaction.number != last_number_ + 1) return wrong(fmt::format("follows {}", last_number_));
  if (const auto why = wrong_postings(transaction.postings); !why.empty()) return wrong(why);
  if (transaction.digest != digest_of(digest_, transaction))
    return wrong("has another digest than its content and the one before: one of the two was changed");
  std::set<std::pair<std::string, std::string>> touched;
  for (const auto& posting : transaction.postings) {
    auto& sum = ledgers_[{posting.ledger, posting.money.currency}];
    if (__builtin_add_overflow(sum, posting.money.amount, &sum)) return wrong("makes a ledger too large");
    touched.insert({posting.ledger, posting.money.currency});
  }
  for (const auto& key : touched) {
    if (!key.first.starts_with(kViewerPrefix)) continue;
    const auto sum = ledgers_[key];
    if (sum < 0) return wrong(fmt::format("leaves {} with less than nothing: {} {}", key.first, key.second, sum));
    if (sum == 0) ledgers_.erase(key);
  }
  last_number_ = transaction.number;
  digest_ = transaction.digest;
  return {};
}

}  // namespace tribune::shop
