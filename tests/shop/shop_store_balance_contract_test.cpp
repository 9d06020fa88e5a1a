// What every engine of the shop's store must do: balances, vouchers and the journal.
#include <doctest/doctest.h>

#include <atomic>
#include <limits>
#include <thread>

#include "shop/shop_store_contract.h"

using namespace tribune::shop;
using namespace tribune::test;
using namespace std::chrono_literals;
namespace base = tribune::base;

namespace {

BalanceAdjustment adjustment_of(std::int64_t cents, std::string key, AccountId account = 1) {
  return {account, euros(cents), "reason of " + key, kOpening, key_of(key)};
}

VoucherRedemption redemption_of(std::string hash, std::string key, AccountId account = 1) {
  return {account, std::move(hash), kOpening, key_of(std::move(key))};
}

/// The batch 5 of three vouchers of 500 cents, which expire a day after kOpening.
VoucherBatch three_vouchers() {
  VoucherBatch batch;
  batch.id = 5;
  batch.money = euros(500);
  batch.created = kOpening;
  batch.expires = kOpening + 24h;
  batch.note = "for the fan club";
  batch.count = 3;
  return batch;
}

void add_vouchers(OpenedShop& shop) {
  REQUIRE(shop.create_vouchers(three_vouchers(), {"hash a", "hash b", "hash c"}).has_value());
}

}  // namespace

TEST_CASE_TEMPLATE("an operator pays into a balance and out of it, and the books have both", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_account(1);
  CHECK(shop.balances(1).empty());
  const auto first = done_of(shop.adjust(adjustment_of(1'500, "a")));
  CHECK(first == BalanceChange{euros(1'500), euros(1'500)});
  CHECK(done_of(shop.adjust(adjustment_of(-400, "b"))) == BalanceChange{euros(-400), euros(1'100)});
  shop.reopen();
  CHECK(shop.balances(1) == std::vector<Money>{euros(1'100)});
  const auto journal = shop.journal(1, 10);
  REQUIRE(journal.size() == 2);
  CHECK(journal[0].kind == JournalKind::adjustment);
  CHECK(journal[0].at == kOpening);
  CHECK(journal[0].reference == "reason of a");
  CHECK(postings_of(journal[0]) == Ledgers{{{viewer_ledger(1), "EUR"}, 1'500}, {{"operator", "EUR"}, -1'500}});
  CHECK(postings_of(journal[1]) == Ledgers{{{viewer_ledger(1), "EUR"}, -400}, {{"operator", "EUR"}, 400}});
  CHECK(shop.check_books({1}) == Ledgers{{{viewer_ledger(1), "EUR"}, 1'100}, {{"operator", "EUR"}, -1'100}});
}

TEST_CASE_TEMPLATE("each currency has a balance of its own, which is listed also when nothing is left", Engine,
                   SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 300);
  CHECK(told(shop.adjust({1, {200, "GBP"}, "", kOpening, key_of("a")})) == "GBP 200");
  auto order = order_of(1, goods_of("tea", 500));
  shop.put({goods_of("tea", 500)});
  CHECK(told(shop.buy(order)) == "balance_insufficient");
  CHECK(told(shop.adjust({1, {-200, "GBP"}, "", kOpening, key_of("b")})) == "GBP 0");
  CHECK(shop.balances(1) == std::vector<Money>{euros(300), {0, "GBP"}});
  CHECK(shop.balances(2).empty());
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("a balance does not go below zero or beyond the limit", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 300);
  const auto refused = refusal_of(shop.adjust(adjustment_of(-301, "a")));
  CHECK(refused.why == ShopRefusal::balance_insufficient);
  CHECK(refused.price == euros(1));
  CHECK(told(shop.adjust({1, {-5, "GBP"}, "", kOpening, key_of("pounds")})) == "balance_insufficient");
  CHECK(told(shop.adjust(adjustment_of(kMaxAmount - 299, "b"))) == "balance_limit");
  CHECK(told(shop.adjust(adjustment_of(kMaxAmount, "c"))) == "balance_limit");
  CHECK(shop.balances(1) == std::vector<Money>{euros(300)});
  CHECK(shop.journal(1, 10).size() == 1);
  CHECK(told(shop.adjust(adjustment_of(kMaxAmount - 300, "d"))) == "EUR " + std::to_string(kMaxAmount));
  CHECK(told(shop.adjust(adjustment_of(-kMaxAmount, "e"))) == "EUR 0");
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("only an active account redeems, and operators pay into every account", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  add_vouchers(shop);
  std::string adjusted = "EUR 100";
  SUBCASE("no such account") { adjusted = "account_unknown"; }
  SUBCASE("a blocked account") {
    shop.add_account(1);
    shop.block(1);
  }
  SUBCASE("an account that awaits approval") {
    shop.add_account(1, tribune::accounts::AccountState::awaiting_approval);
  }
  SUBCASE("a deleted account") {
    shop.add_account(1);
    shop.erase_account(1);
    adjusted = "account_unknown";
  }
  CHECK(told(shop.redeem(redemption_of("hash a", "b"))) == "account_unknown");
  CHECK(shop.journal(1, 10).empty());
  CHECK(told(shop.adjust(adjustment_of(100, "a"))) == adjusted);
  shop.add_account(2);
  CHECK(told(shop.redeem(redemption_of("hash a", "b", 2))) == "EUR 500");
  shop.check_books({1, 2});
}

TEST_CASE_TEMPLATE("the balance of a deleted account is paid out by its id, and nothing is paid in", Engine,
                   SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 300);
  shop.erase_account(1);
  CHECK(told(shop.adjust(adjustment_of(100, "a"))) == "account_unknown");
  CHECK(told(shop.adjust(adjustment_of(0, "b"))) == "account_unknown");
  CHECK(refusal_of(shop.adjust(adjustment_of(-301, "c"))).price == euros(1));
  CHECK(told(shop.adjust({1, {-1, "GBP"}, "", kOpening, key_of("pounds")})) == "account_unknown");
  CHECK(told(shop.adjust(adjustment_of(-100, "d"))) == "EUR 200");
  CHECK(told(shop.adjust(adjustment_of(-200, "e"))) == "EUR 0");
  CHECK(told(shop.adjust(adjustment_of(-1, "f"))) == "account_unknown");
  CHECK(told(shop.adjust(adjustment_of(-1, "g", 2))) == "account_unknown");
  CHECK(shop.check_books({1}).empty());
}

TEST_CASE_TEMPLATE("an adjustment and a voucher of a wrong amount or currency are invalid", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 300);
  constexpr auto kLargest = std::numeric_limits<std::int64_t>::max(),
                 kSmallest = std::numeric_limits<std::int64_t>::min();
  const auto is_invalid = [](const auto& result) {
    return !result && result.error().kind == base::ErrorKind::invalid_input &&
           result.error().fault == base::Fault::client;
  };
  const auto adjusted = [&](Money money) {
    return reported_by<Outcome<BalanceChange>>([&](auto done) {
      shop.store().adjust_balance({1, money, "", kOpening, key_of("adjusted")}, done);
    });
  };
  const auto issued = [&](Money money) {
    auto batch = three_vouchers();
    batch.money = std::move(money);
    return shop.create_vouchers(batch, {"hash a"});
  };
  for (const auto amount : {kMaxAmount + 1, -kMaxAmount - 1, kLargest, kSmallest}) {
    CAPTURE(amount);
    CHECK(is_invalid(adjusted(euros(amount))));
    CHECK(is_invalid(issued(euros(amount))));
  }
  for (const auto amount : {std::int64_t{0}, std::int64_t{-1}}) CHECK(is_invalid(issued(euros(amount))));
  for (const auto* currency : {"", "eur", "EURO", "E/R"}) {
    CHECK(is_invalid(adjusted({1, currency})));
    CHECK(is_invalid(issued({1, currency})));
  }
  CHECK(shop.voucher_batches().empty());
  CHECK(shop.journal(1, 10).size() == 1);
  CHECK(told(*adjusted(euros(1))) == "EUR 301");
  CHECK(issued(euros(kMaxAmount)).has_value());
}

TEST_CASE_TEMPLATE("an account that is unknown is not stored as the outcome of a key", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  add_vouchers(shop);
  CHECK(told(shop.adjust(adjustment_of(100, "a"))) == "account_unknown");
  CHECK(told(shop.redeem(redemption_of("hash a", "b"))) == "account_unknown");
  shop.add_account(1);
  CHECK(told(shop.adjust(adjustment_of(100, "a"))) == "EUR 100");
  CHECK(told(shop.redeem(redemption_of("hash a", "b"))) == "EUR 600");
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("a repeated adjustment reports the first outcome and changes nothing", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_account(1);
  CHECK_FALSE(shop.adjust(adjustment_of(100, "a")).is_repeated);
  CHECK(told(shop.adjust(adjustment_of(-500, "b"))) == "balance_insufficient");
  CHECK(told(shop.adjust(adjustment_of(900, "c"))) == "EUR 1000");
  shop.reopen();
  const auto again = shop.adjust(adjustment_of(100, "a"));
  CHECK(again.is_repeated);
  CHECK(done_of(again) == BalanceChange{euros(100), euros(100)});
  CHECK(shop.balances(1) == std::vector<Money>{euros(1'000)});
  auto other = adjustment_of(200, "a");
  other.key.fingerprint = "another request";
  CHECK(told(shop.adjust(other)) == "key_reused");
  CHECK(shop.adjust(adjustment_of(100, "a")).is_repeated);
  CHECK(shop.journal(1, 10).size() == 2);
  const auto refused_before = shop.adjust(adjustment_of(-500, "b"));
  CHECK_FALSE(refused_before.is_repeated);
  CHECK(told(refused_before) == "EUR 500");
  CHECK(shop.adjust(adjustment_of(-500, "b")).is_repeated);
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("refunds and adjustments share the keys of operators; viewers have their own", Engine,
                   SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 1'000);
  shop.add_account(2);
  add_vouchers(shop);
  const auto tea = goods_of("tea", 100);
  shop.put({tea});
  auto order = order_of(1, tea);
  order.key = key_of("same");
  CHECK(told(shop.buy(order)) == "paid");
  auto refund = refund_of(1);
  refund.key = {"same", "refund"};
  CHECK(told(shop.refund(refund)) == "refunded");
  CHECK(told(shop.adjust({2, euros(5), "", kOpening, {"same", "adjustment"}})) == "key_reused");
  CHECK(told(shop.redeem({2, "hash a", kOpening, {"same", "redemption"}})) == "EUR 500");
  CHECK(told(shop.redeem({1, "hash b", kOpening, {"same", "redemption"}})) == "key_reused");
  shop.check_books({1, 2});
}

TEST_CASE_TEMPLATE("a voucher is paid into the balance once", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 100);
  shop.add_account(2);
  add_vouchers(shop);
  CHECK(done_of(shop.redeem(redemption_of("hash b", "a"))) == BalanceChange{euros(500), euros(600)});
  shop.reopen();
  CHECK(told(shop.redeem(redemption_of("hash b", "b"))) == "voucher_used");
  CHECK(told(shop.redeem(redemption_of("hash b", "a", 2))) == "voucher_used");
  CHECK(told(shop.redeem(redemption_of("hash d", "c"))) == "voucher_unknown");
  const auto repeated = shop.redeem(redemption_of("hash b", "a"));
  CHECK(repeated.is_repeated);
  CHECK(told(repeated) == "EUR 600");
  CHECK(shop.balances(1) == std::vector<Money>{euros(600)});
  CHECK(shop.balances(2).empty());
  const auto journal = shop.journal(2, 10);
  REQUIRE(journal.size() == 1);
  CHECK(journal[0].kind == JournalKind::voucher);
  CHECK(journal[0].reference == "hash b");
  CHECK(postings_of(journal[0]) == Ledgers{{{viewer_ledger(1), "EUR"}, 500}, {{"vouchers", "EUR"}, -500}});
  shop.check_books({1, 2});
}

TEST_CASE_TEMPLATE("batches of vouchers are listed with the number of those that were redeemed", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_account(1);
  CHECK(shop.voucher_batches().empty());
  add_vouchers(shop);
  auto other = three_vouchers();
  other.id = 9;
  other.count = 1;
  other.money = {7, "GBP"};
  other.note.clear();
  REQUIRE(shop.create_vouchers(other, {"hash x"}).has_value());
  CHECK(shop.voucher_batches() == std::vector<VoucherBatch>{three_vouchers(), other});
  CHECK(told(shop.redeem(redemption_of("hash a", "a"))) == "EUR 500");
  CHECK(told(shop.redeem(redemption_of("hash c", "c"))) == "EUR 1000");
  CHECK(told(shop.redeem(redemption_of("hash x", "x"))) == "GBP 7");
  shop.reopen();
  auto listed = three_vouchers();
  listed.redeemed = 2;
  other.redeemed = 1;
  CHECK(shop.voucher_batches() == std::vector<VoucherBatch>{listed, other});
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("a batch whose id another one has is a conflict and adds no voucher", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_account(1);
  add_vouchers(shop);
  auto other = three_vouchers();
  other.count = 1;
  const auto refused = shop.create_vouchers(other, {"hash x"});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().kind == base::ErrorKind::conflict);
  CHECK(shop.voucher_batches() == std::vector<VoucherBatch>{three_vouchers()});
  CHECK(told(shop.redeem(redemption_of("hash x", "x"))) == "voucher_unknown");
}

TEST_CASE_TEMPLATE("a batch with a hash that another voucher has is a conflict and adds no voucher", Engine,
                   SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_account(1);
  add_vouchers(shop);
  REQUIRE(told(shop.redeem(redemption_of("hash b", "b"))) == "EUR 500");
  auto other = three_vouchers();
  other.id = 6;
  const auto conflicts = [&](std::vector<std::string> hashes) {
    const auto refused = shop.create_vouchers(other, std::move(hashes));
    return !refused && refused.error().kind == base::ErrorKind::conflict;
  };
  CHECK(conflicts({"hash x", "hash b"}));
  CHECK(conflicts({"hash x", "hash y", "hash x"}));
  CHECK(shop.voucher_batches().size() == 1);
  CHECK(told(shop.redeem(redemption_of("hash x", "x"))) == "voucher_unknown");
  CHECK(told(shop.redeem(redemption_of("hash b", "c"))) == "voucher_used");
}

TEST_CASE_TEMPLATE("vouchers end with their time, and when an operator voids their batch", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_account(1);
  add_vouchers(shop);
  auto late = redemption_of("hash a", "late");
  late.now = kOpening + 24h + 1s;
  CHECK(told(shop.redeem(late)) == "voucher_unknown");
  auto in_time = redemption_of("hash a", "in time");
  in_time.now = kOpening + 24h - 1s;
  CHECK(told(shop.redeem(in_time)) == "EUR 500");
  REQUIRE(shop.void_vouchers(5).has_value());
  CHECK(shop.void_vouchers(6).error().kind == base::ErrorKind::not_found);
  shop.reopen();
  CHECK(told(shop.redeem(redemption_of("hash b", "b"))) == "voucher_unknown");
  CHECK(shop.balances(1) == std::vector<Money>{euros(500)});
  auto listed = three_vouchers();
  listed.redeemed = 1;
  listed.is_void = true;
  CHECK(shop.voucher_batches() == std::vector<VoucherBatch>{listed});
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("a voucher that would raise the balance beyond the limit stays unused", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, kMaxAmount - 499);
  add_vouchers(shop);
  CHECK(told(shop.redeem(redemption_of("hash a", "a"))) == "balance_limit");
  CHECK(shop.voucher_batches() == std::vector<VoucherBatch>{three_vouchers()});
  CHECK(told(shop.adjust(adjustment_of(-1, "b"))) == "EUR " + std::to_string(kMaxAmount - 500));
  CHECK(told(shop.redeem(redemption_of("hash a", "c"))) == "EUR " + std::to_string(kMaxAmount));
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("the journal is read in parts from any number on", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_account(1);
  CHECK(shop.journal(1, 10).empty());
  for (int i = 0; i < 12; ++i) shop.adjust(adjustment_of(i + 1, "adjustment " + std::to_string(i)));
  shop.reopen();
  const auto numbers = [&](std::uint64_t from, std::size_t limit) {
    std::vector<std::uint64_t> found;
    for (const auto& transaction : shop.journal(from, limit)) found.push_back(transaction.number);
    return found;
  };
  CHECK(numbers(1, 3) == std::vector<std::uint64_t>{1, 2, 3});
  CHECK(numbers(9, 3) == std::vector<std::uint64_t>{9, 10, 11});
  CHECK(numbers(11, 3) == std::vector<std::uint64_t>{11, 12});
  CHECK(numbers(13, 3).empty());
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("the books stay right when times have microseconds and texts have any character", Engine,
                   SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_account(1);
  auto adjustment = adjustment_of(100, "a");
  adjustment.now = kOpening + 123'456us;
  adjustment.reason = "Возврат \"за\" шарф\\\n\t€ 1";
  CHECK(told(shop.adjust(adjustment)) == "EUR 100");
  shop.reopen();
  CHECK(told(shop.adjust(adjustment_of(100, "b"))) == "EUR 200");
  const auto journal = shop.journal(1, 10);
  REQUIRE(journal.size() == 2);
  CHECK(journal[0].reference == adjustment.reason);
  CHECK(journal[0].at == kOpening + 123ms);
  auto latin = adjustment_of(100, "c");
  latin.reason = "caf\xe9 \xff";
  CHECK(told(shop.adjust(latin)) == "EUR 300");
  CHECK(told(shop.adjust(adjustment_of(100, "d"))) == "EUR 400");
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("of many redemptions of one voucher at one instant one succeeds", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  add_vouchers(shop);
  std::vector<AccountId> accounts;
  for (AccountId id = 1; id <= 16; ++id) accounts.push_back(id);
  for (const auto id : accounts) shop.add_account(id);
  std::atomic<int> paid{0}, used{0};
  std::vector<std::thread> threads;
  for (const auto id : accounts)
    threads.emplace_back([&, id] {
      const auto outcome = told(shop.redeem(redemption_of("hash a", "a", id)));
      paid += outcome == "EUR 500";
      used += outcome == "voucher_used";
    });
  for (auto& thread : threads) thread.join();
  CHECK(paid == 1);
  CHECK(used == 15);
  CHECK(shop.check_books(accounts).at({"vouchers", "EUR"}) == -500);
}

TEST_CASE_TEMPLATE("parallel purchases spend no more than the balance", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 1'000);
  const auto tea = goods_of("tea", 300);
  shop.put({tea});
  std::atomic<int> paid{0}, insufficient{0};
  std::vector<std::thread> threads;
  for (PurchaseId id = 1; id <= 16; ++id)
    threads.emplace_back([&, id] {
      const auto outcome = shop.buy(order_of(id, tea));
      paid += told(outcome) == "paid";
      const auto* refused = std::get_if<RefusedOrder>(&outcome.result);
      insufficient += refused && refused->why == ShopRefusal::balance_insufficient && refused->price == euros(200);
    });
  for (auto& thread : threads) thread.join();
  CHECK(paid == 3);
  CHECK(insufficient == 13);
  CHECK(shop.balances(1) == std::vector<Money>{euros(100)});
  CHECK(shop.taken("tea") == std::vector<std::int64_t>{3});
  shop.check_books({1});
}
