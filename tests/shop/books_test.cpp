#include "shop/books.h"

#include <doctest/doctest.h>

#include <functional>
#include <limits>

using namespace tribune::shop;
using namespace std::chrono_literals;
namespace base = tribune::base;

namespace {

const base::WallTime kFirstPosting{1'800'000'000s};

Posting posting(std::string ledger, std::int64_t amount, std::string currency = "EUR") {
  return {std::move(ledger), {amount, std::move(currency)}};
}

/// Appends a transaction with the number and the digest that belong there.
void append(std::vector<JournalTransaction>& journal, JournalKind kind, std::vector<Posting> postings) {
  JournalTransaction transaction;
  transaction.number = journal.size() + 1;
  transaction.at = kFirstPosting + transaction.number * 1500ms;
  transaction.kind = kind;
  transaction.reference = "reference " + std::to_string(transaction.number);
  transaction.postings = std::move(postings);
  transaction.digest = digest_of(journal.empty() ? "" : journal.back().digest, transaction);
  journal.push_back(std::move(transaction));
}

/// Account 1 pays in 1000 cents, buys for 300 and for 200, gets 300 back, and account 2 redeems a voucher of 5 pounds.
std::vector<JournalTransaction> right_journal() {
  std::vector<JournalTransaction> journal;
  const auto viewer = viewer_ledger(1);
  append(journal, JournalKind::adjustment, {posting(viewer, 1'000), posting("operator", -1'000)});
  append(journal, JournalKind::purchase, {posting(viewer, -300), posting("sales", 300)});
  append(journal, JournalKind::purchase, {posting(viewer, -200), posting("sales", 200)});
  append(journal, JournalKind::refund, {posting(viewer, 300), posting("sales", -300)});
  append(journal, JournalKind::voucher, {posting(viewer_ledger(2), 500, "GBP"), posting("vouchers", -500, "GBP")});
  return journal;
}

/// Gives every transaction the number and the digest that its place and content want.
void number_and_sign(std::vector<JournalTransaction>& journal) {
  std::string digest;
  for (std::size_t i = 0; i < journal.size(); ++i) {
    journal[i].number = i + 1;
    digest = journal[i].digest = digest_of(digest, journal[i]);
  }
}

/// The number of the first transaction that is wrong, 0 when none is.
std::uint64_t first_wrong(const std::vector<JournalTransaction>& journal, BooksCheck& check) {
  for (const auto& transaction : journal)
    if (const auto added = check.add(transaction); !added) {
      CHECK(added.error().kind == base::ErrorKind::protocol);
      CHECK(added.error().text.find(std::to_string(transaction.number)) != std::string::npos);
      return transaction.number;
    }
  return 0;
}

std::uint64_t first_wrong(const std::vector<JournalTransaction>& journal) {
  BooksCheck check;
  return first_wrong(journal, check);
}

struct Damage {
  std::string_view name;
  std::uint64_t found_at;
  std::function<void(std::vector<JournalTransaction>&)> carry_out;
};

/// Changes after which nobody signed the journal again.
const std::vector<Damage>& unsigned_damages() {
  using Journal = std::vector<JournalTransaction>;
  static const std::vector<Damage> damages{
      {"the first one is missing", 2, [](Journal& j) { j.erase(j.begin()); }},
      {"one is missing", 3, [](Journal& j) { j.erase(j.begin() + 1); }},
      {"one is missing, and the others have new numbers", 2,
       [](Journal& j) {
         j.erase(j.begin() + 1);
         for (std::size_t i = 0; i < j.size(); ++i) j[i].number = i + 1;
       }},
      {"two are swapped", 3, [](Journal& j) { std::swap(j[1], j[2]); }},
      {"two are swapped with their numbers", 2,
       [](Journal& j) {
         std::swap(j[1], j[2]);
         std::swap(j[1].number, j[2].number);
       }},
      {"one stands twice", 2, [](Journal& j) { j.insert(j.begin() + 2, j[1]); }},
      {"amounts are changed", 2,
       [](Journal& j) {
         j[1].postings[0].money.amount = -30;
         j[1].postings[1].money.amount = 30;
       }},
      {"the currency is changed", 2,
       [](Journal& j) {
         for (auto& changed : j[1].postings) changed.money.currency = "USD";
       }},
      {"the ledger is changed", 2, [](Journal& j) { j[1].postings[1].ledger = "till"; }},
      {"the order of the postings is changed", 2, [](Journal& j) { std::swap(j[1].postings[0], j[1].postings[1]); }},
      {"the kind is changed", 3, [](Journal& j) { j[2].kind = JournalKind::adjustment; }},
      {"the time is changed", 3, [](Journal& j) { j[2].at += 1ms; }},
      {"the reference is changed", 4, [](Journal& j) { j[3].reference += "."; }},
      {"the digest is changed", 4, [](Journal& j) { j[3].digest[0] = j[3].digest[0] == 'a' ? 'b' : 'a'; }},
      {"the digest is missing", 4, [](Journal& j) { j[3].digest.clear(); }},
      {"a transaction is signed again alone", 3,
       [](Journal& j) {
         j[1].reference = "changed";
         j[1].digest = digest_of(j[0].digest, j[1]);
       }},
      {"a transaction is signed for another place", 3, [](Journal& j) { j[2].digest = digest_of(j[0].digest, j[2]); }},
  };
  return damages;
}

/// Changes that break the rules of the books, although numbers and digests are right.
const std::vector<Damage>& signed_damages() {
  using Journal = std::vector<JournalTransaction>;
  constexpr auto kLargest = std::numeric_limits<std::int64_t>::max();
  static const std::vector<Damage> damages{
      {"no postings", 3, [](Journal& j) { j[2].postings.clear(); }},
      {"the last postings are missing", 3, [](Journal& j) { j[2].postings.pop_back(); }},
      {"one posting of nothing", 3, [](Journal& j) { j[2].postings = {posting("sales", 0)}; }},
      {"a sum above zero", 3, [](Journal& j) { j[2].postings[1].money.amount += 1; }},
      {"a sum below zero", 3, [](Journal& j) { j[2].postings[0].money.amount -= 1; }},
      {"zero only over two currencies", 3, [](Journal& j) { j[2].postings[1].money.currency = "USD"; }},
      {"a viewer has less than nothing", 3,
       [](Journal& j) {
         j[2].postings = {posting(viewer_ledger(1), -701), posting("sales", 701)};
       }},
      {"a viewer has less than nothing of one currency", 3,
       [](Journal& j) {
         j[2].postings = {posting(viewer_ledger(1), -1, "GBP"), posting("sales", 1, "GBP")};
       }},
      {"an amount beyond the limit", 3,
       [](Journal& j) {
         j[2].postings = {posting("till", -kMaxAmount - 1), posting("sales", kMaxAmount + 1)};
       }},
      {"amounts whose sum overflows", 3,
       [](Journal& j) {
         j[2].postings = {posting("till", kLargest), posting("till", kLargest), posting("sales", 2)};
       }},
      {"the smallest amount", 3,
       [](Journal& j) {
         j[2].postings = {posting("till", -kLargest - 1), posting("sales", kLargest), posting("sales", 1)};
       }},
  };
  return damages;
}

}  // namespace

TEST_CASE("a reference that is not UTF-8 has the same digest after it was read") {
  std::vector<JournalTransaction> journal;
  append(journal, JournalKind::adjustment, {posting("operator", -5), posting(viewer_ledger(1), 5)});
  for (const std::string_view reference :
       {"caf\xe9", "\xff\xfe", "\xed\xa0\x80", "\xe2\x82", "\\ufffd", "a\x01\r\n\t\"\x7f", "\xef\xbf\xbd"}) {
    CAPTURE(reference);
    auto transaction = journal[0];
    transaction.reference = reference;
    transaction.digest = digest_of("", transaction);
    const auto read = journal_transaction_of_json(to_json(transaction));
    REQUIRE(read.has_value());
    CHECK(digest_of("", *read) == transaction.digest);
    CHECK(to_json(*read) == to_json(transaction));
    CHECK(BooksCheck().add(*read).has_value());
    CHECK(BooksCheck().add(transaction).has_value());
  }
}

TEST_CASE("a right journal is accepted, and has the sums of its ledgers") {
  BooksCheck check;
  CHECK(check.transactions() == 0);
  CHECK(check.ledgers().empty());
  CHECK(first_wrong(right_journal(), check) == 0);
  CHECK(check.transactions() == 5);
  CHECK(check.ledgers() == std::map<std::pair<std::string, std::string>, std::int64_t>{
                               {{viewer_ledger(1), "EUR"}, 800},
                               {{viewer_ledger(2), "GBP"}, 500},
                               {{"operator", "EUR"}, -1'000},
                               {{"sales", "EUR"}, 200},
                               {{"vouchers", "GBP"}, -500},
                           });
}

TEST_CASE("a viewer that has nothing is not among the ledgers") {
  auto journal = right_journal();
  append(journal, JournalKind::adjustment, {posting(viewer_ledger(1), -800), posting("operator", 800)});
  BooksCheck check;
  CHECK(first_wrong(journal, check) == 0);
  CHECK(check.ledgers().count({viewer_ledger(1), "EUR"}) == 0);
  CHECK(check.ledgers().at({"operator", "EUR"}) == -200);
}

TEST_CASE("the largest amounts and transactions with more than two ledgers are right") {
  auto journal = right_journal();
  append(journal, JournalKind::purchase, {posting("till", -kMaxAmount), posting("sales", kMaxAmount)});
  append(journal, JournalKind::purchase,
         {posting("till", -100), posting(viewer_ledger(1), -50), posting("sales", 150), posting("till", -7, "GBP"),
          posting("sales", 7, "GBP")});
  CHECK(first_wrong(journal) == 0);
}

TEST_CASE("a journal whose beginning is missing is found by the number of its first transaction") {
  auto journal = right_journal();
  journal.erase(journal.begin(), journal.begin() + 3);
  CHECK(first_wrong(journal) == 4);
}

TEST_CASE("a changed journal is found at the first transaction that does not fit") {
  for (const auto& damage : unsigned_damages()) {
    CAPTURE(damage.name);
    auto journal = right_journal();
    damage.carry_out(journal);
    CHECK(first_wrong(journal) == damage.found_at);
  }
}

TEST_CASE("a journal that breaks the rules of the books is found although its digests are right") {
  for (const auto& damage : signed_damages()) {
    CAPTURE(damage.name);
    auto journal = right_journal();
    damage.carry_out(journal);
    number_and_sign(journal);
    CHECK(first_wrong(journal) == damage.found_at);
  }
}

TEST_CASE("a digest covers the digest before it and every member of the transaction") {
  const auto journal = right_journal();
  CHECK(journal[1].digest.size() == 64);
  CHECK(journal[1].digest.find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(digest_of(journal[0].digest, journal[1]) == journal[1].digest);
  CHECK(digest_of("", journal[1]) != journal[1].digest);
  auto other = journal[1];
  other.digest = "another";
  CHECK(digest_of(journal[0].digest, other) == journal[1].digest);
  other.number = 3;
  CHECK(digest_of(journal[0].digest, other) != journal[1].digest);
}

TEST_CASE("texts cannot be moved from one member to the next without another digest") {
  JournalTransaction left, right;
  left.reference = "a\",\"postings\":[";
  left.postings = {posting("ab", 1), posting("c", -1)};
  right.postings = {posting("a", 1), posting("bc", -1)};
  right.reference = left.reference;
  CHECK(digest_of("", left) != digest_of("", right));
  right = left;
  right.postings[0] = posting("ab", 11);
  CHECK(digest_of("", left) != digest_of("", right));
}

TEST_CASE("a transaction is read as it was written") {
  auto journal = right_journal();
  journal[0].reference = "Возврат \"за\" шарф\\\n\t\x01 € 1";
  journal[0].postings = {posting(viewer_ledger(0xfedcba9876543210), kMaxAmount), posting("operator", -kMaxAmount)};
  journal[0].at = kFirstPosting + 1ms;
  journal[1].reference.clear();
  number_and_sign(journal);
  for (const auto& transaction : journal) {
    const auto text = to_json(transaction);
    CHECK(text.find('\n') == std::string::npos);
    const auto read = journal_transaction_of_json(text);
    REQUIRE_MESSAGE(read.has_value(), text);
    CHECK(*read == transaction);
  }
}

TEST_CASE("a time is written to the millisecond, and its digest is that of the written form") {
  std::vector<JournalTransaction> journal;
  append(journal, JournalKind::purchase, {posting("till", -5), posting("sales", 5)});
  journal[0].at = kFirstPosting + 1'999us;
  number_and_sign(journal);
  const auto read = journal_transaction_of_json(to_json(journal[0]));
  REQUIRE(read.has_value());
  CHECK(read->at == kFirstPosting + 1ms);
  CHECK(digest_of("", *read) == journal[0].digest);
}

TEST_CASE("text that is no transaction is an error") {
  const auto right = to_json(right_journal()[0]);
  const auto is_wrong = [](const std::string& text) {
    const auto read = journal_transaction_of_json(text);
    if (!read) CHECK(read.error().kind == base::ErrorKind::protocol);
    return !read;
  };
  for (std::size_t size = 0; size < right.size(); ++size) {
    CAPTURE(size);
    CHECK(is_wrong(right.substr(0, size)));
  }
  for (const auto text : {"null", "[]", "{}", "17", "\"transaction\"", "\xff\xfe"}) CHECK(is_wrong(text));
  CHECK(is_wrong(right + "}"));
  const auto with = [&](std::string_view from, std::string_view to) {
    const auto at = right.find(from);
    REQUIRE(at != std::string::npos);
    return std::string(right).replace(at, from.size(), to);
  };
  CHECK(is_wrong(with("adjustment", "gift")));
  CHECK(is_wrong(with("-1000", "\"much\"")));
  CHECK(is_wrong(with("-1000", "-10.5")));
  CHECK(is_wrong(with("-1000", "-99999999999999999999")));
  CHECK(is_wrong(with("operator", "operator\":\"")));
}

TEST_CASE("the kinds of transactions have names, which are parsed") {
  for (const auto kind : {JournalKind::purchase, JournalKind::refund, JournalKind::voucher, JournalKind::adjustment})
    CHECK(parse_journal_kind(to_string(kind)) == kind);
  CHECK(to_string(JournalKind::adjustment) == "adjustment");
  CHECK_FALSE(parse_journal_kind("gift").has_value());
}

TEST_CASE("the ledger of a viewer is named after its account") {
  CHECK(viewer_ledger(0xabc) == "viewer:0000000000000abc");
}
