// What every engine of the shop's store must do: pending purchases, refunds, and the entitlements that result.
#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "shop/shop_store_contract.h"

using namespace tribune::shop;
using namespace tribune::test;
using namespace std::chrono_literals;
namespace base = tribune::base;

namespace {

/// Account 1 without a balance, and the pending purchase 1 of two of five scarves at 200 cents.
Product with_pending(OpenedShop& shop) {
  shop.add_account(1);
  const auto scarf = goods_of("scarf", 200, 5);
  shop.put({scarf});
  auto order = till_order(1, scarf);
  order.quantity = 2;
  REQUIRE(told(shop.buy(order)) == "pending");
  return scarf;
}

/// An order of account 1 that is paid at once from its balance.
Purchase paid_for(OpenedShop& shop, PurchaseId id, const Product& product, base::WallTime now = kOpening) {
  const auto purchase = done_of(shop.buy(order_of(id, product, now)));
  CHECK(purchase.state == PurchaseState::paid);
  return purchase;
}

using Validity = std::pair<std::optional<base::WallTime>, std::optional<base::WallTime>>;

Validity validity_in(const Purchase& purchase) { return {purchase.grant.valid_from, purchase.grant.valid_until}; }

}  // namespace

TEST_CASE_TEMPLATE("a purchase that is paid later reserves the goods and moves no money", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  with_pending(shop);
  shop.reopen();
  const auto pending = shop.find(1);
  REQUIRE(pending.has_value());
  CHECK(pending->state == PurchaseState::pending);
  CHECK(pending->total == euros(400));
  CHECK(pending->created == kOpening);
  CHECK(pending->deadline == kOpening + 10min);
  CHECK(pending->decided == base::WallTime{});
  CHECK(pending->grant == Grant{});
  CHECK(shop.taken("scarf") == std::vector<std::int64_t>{2});
  CHECK(shop.journal(1, 10).empty());
  CHECK(shop.balances(1).empty());
}

TEST_CASE_TEMPLATE("a payment is posted from its ledger, and the grant begins with it", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_account(1);
  const auto day = pass_of("day", 700, 24h);
  shop.put({day});
  REQUIRE(told(shop.buy(till_order(1, day))) == "pending");
  CHECK(shop.entitlements(1, kOpening).empty());
  const auto paid = done_of(shop.pay(1, kOpening + 5min));
  CHECK(paid.state == PurchaseState::paid);
  CHECK(paid.decided == kOpening + 5min);
  CHECK(validity_in(paid) == Validity{kOpening + 5min, kOpening + 5min + 24h});
  shop.reopen();
  CHECK(shop.find(1) == paid);
  CHECK(shop.entitlements(1, kOpening + 6min) ==
        std::vector<Entitlement>{{1, true, {}, kOpening + 5min, kOpening + 5min + 24h, "day"}});
  const auto journal = shop.journal(1, 10);
  REQUIRE(journal.size() == 1);
  CHECK(journal[0].kind == JournalKind::purchase);
  CHECK(journal[0].at == kOpening + 5min);
  CHECK(postings_of(journal[0]) == Ledgers{{{"till", "EUR"}, -700}, {{"sales", "EUR"}, 700}});
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("a payment gives what was ordered, although the product has changed since", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_account(1);
  auto day = pass_of("day", 700, 24h);
  shop.put({day});
  REQUIRE(told(shop.buy(till_order(1, day))) == "pending");
  CatalogueChange change;
  SUBCASE("it was erased") { change.erased_products = {"day"}; }
  SUBCASE("it has another grant and another price") {
    day.grant = {false, {"arena"}, 1h, {}, {}};
    day.price = euros(100);
    change.products = {day};
  }
  shop.change(change);
  const auto paid = done_of(shop.pay(1, kOpening + 5min));
  CHECK(paid.total == euros(700));
  CHECK(paid.grant.all_channels);
  CHECK(validity_in(paid) == Validity{kOpening + 5min, kOpening + 5min + 24h});
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("a failed payment puts the goods on sale again", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  with_pending(shop);
  const auto failed = done_of(shop.fail(1, kOpening + 1min));
  CHECK(failed.state == PurchaseState::failed);
  CHECK(failed.reason == "the card was declined");
  CHECK(failed.decided == kOpening + 1min);
  shop.reopen();
  CHECK(shop.find(1) == failed);
  CHECK(shop.taken("scarf") == std::vector<std::int64_t>{0});
  CHECK(shop.journal(1, 10).empty());
}

TEST_CASE_TEMPLATE("a purchase ends once: the same result again is reported as it is, another one is refused", Engine,
                   SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  with_pending(shop);
  CHECK(told(shop.pay(2)) == "purchase_unknown");
  CHECK(told(shop.fail(2)) == "purchase_unknown");
  SUBCASE("it is paid") {
    const auto first = shop.pay(1);
    CHECK_FALSE(first.is_repeated);
    const auto again = shop.pay(1, kOpening + 1min);
    CHECK(again.is_repeated);
    CHECK(done_of(again) == done_of(first));
    CHECK(refusal_of(shop.fail(1)) == RefusedOrder{ShopRefusal::wrong_state, {}, 0, PurchaseState::paid});
    CHECK(shop.journal(1, 10).size() == 1);
    CHECK(shop.taken("scarf") == std::vector<std::int64_t>{2});
    CHECK(told(shop.refund(refund_of(1))) == "refunded");
    CHECK(refusal_of(shop.pay(1)) == RefusedOrder{ShopRefusal::wrong_state, {}, 0, PurchaseState::refunded});
  }
  SUBCASE("it failed") {
    const auto first = shop.fail(1);
    CHECK_FALSE(first.is_repeated);
    const auto again = shop.fail(1, kOpening + 1min);
    CHECK(again.is_repeated);
    CHECK(done_of(again) == done_of(first));
    CHECK(refusal_of(shop.pay(1)) == RefusedOrder{ShopRefusal::wrong_state, {}, 0, PurchaseState::failed});
    CHECK(shop.taken("scarf") == std::vector<std::int64_t>{0});
  }
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("pending purchases fail after their deadline", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  const auto scarf = with_pending(shop);
  REQUIRE(told(shop.buy(till_order(2, scarf, kOpening + 5min))) == "pending");
  REQUIRE(told(shop.buy(till_order(3, scarf))) == "pending");
  REQUIRE(told(shop.pay(3)) == "paid");
  CHECK(shop.fail_overdue(kOpening + 10min - 1s) == 0);
  shop.reopen();
  CHECK(shop.fail_overdue(kOpening + 10min + 1s) == 1);
  CHECK(shop.find(1)->state == PurchaseState::failed);
  CHECK(shop.find(1)->decided == kOpening + 10min + 1s);
  CHECK(shop.find(2)->state == PurchaseState::pending);
  CHECK(shop.find(3)->state == PurchaseState::paid);
  CHECK(shop.taken("scarf") == std::vector<std::int64_t>{2});
  CHECK(told(shop.pay(1)) == "wrong_state");
  CHECK(shop.fail_overdue(kOpening + 1h) == 1);
  CHECK(shop.fail_overdue(kOpening + 1h) == 0);
  CHECK(shop.taken("scarf") == std::vector<std::int64_t>{1});
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("a late payment is accepted as long as the purchase has not failed", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  with_pending(shop);
  CHECK(told(shop.pay(1, kOpening + 1h)) == "paid");
  CHECK(shop.fail_overdue(kOpening + 2h) == 0);
  CHECK(shop.taken("scarf") == std::vector<std::int64_t>{2});
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("of a payment and a failure at one instant one succeeds", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  with_pending(shop);
  std::atomic<int> paid{0}, failed{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&, i] {
      const auto outcome = told(i % 2 ? shop.pay(1) : shop.fail(1));
      paid += outcome == "paid";
      failed += outcome == "failed";
    });
  for (auto& thread : threads) thread.join();
  CHECK(paid + failed == 4);
  CHECK((paid == 0 || failed == 0));
  CHECK(shop.journal(1, 10).size() == (paid ? 1 : 0));
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("a refund pays the total into the balance and ends the grant", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_account(1);
  const auto arena = channel_product("arena", 900);
  shop.put({arena});
  SUBCASE("of a purchase from the balance") {
    REQUIRE(told(shop.adjust({1, euros(1'000), "", kOpening, key_of("a")})) == "EUR 1000");
    REQUIRE(told(shop.buy(order_of(1, arena))) == "paid");
  }
  SUBCASE("of a purchase that was paid at the till") {
    REQUIRE(told(shop.adjust({1, euros(100), "", kOpening, key_of("a")})) == "EUR 100");
    REQUIRE(told(shop.buy(till_order(1, arena))) == "pending");
    REQUIRE(told(shop.pay(1)) == "paid");
  }
  CHECK(shop.entitlements(1, kOpening).size() == 1);
  const auto refunded = done_of(shop.refund(refund_of(1, kOpening + 1h)));
  CHECK(refunded.state == PurchaseState::refunded);
  CHECK(refunded.reason == "the show is off");
  CHECK(refunded.decided == kOpening);
  CHECK(refunded.refunded == kOpening + 1h);
  shop.reopen();
  CHECK(shop.find(1) == refunded);
  CHECK(shop.entitlements(1, kOpening).empty());
  CHECK(shop.balances(1) == std::vector<Money>{euros(1'000)});
  const auto journal = shop.journal(3, 10);
  REQUIRE(journal.size() == 1);
  CHECK(journal[0].kind == JournalKind::refund);
  CHECK(journal[0].reference == tribune::accounts::to_text(1));
  CHECK(postings_of(journal[0]) == Ledgers{{{viewer_ledger(1), "EUR"}, 900}, {{"sales", "EUR"}, -900}});
  CHECK(shop.check_books({1}).count({"sales", "EUR"}) == 0);
}

TEST_CASE_TEMPLATE("refunded goods are on sale again when the refund says so", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  with_pending(shop);
  REQUIRE(told(shop.pay(1)) == "paid");
  auto refund = refund_of(1);
  SUBCASE("they are") {
    CHECK(told(shop.refund(refund)) == "refunded");
    CHECK(shop.taken("scarf") == std::vector<std::int64_t>{0});
  }
  SUBCASE("they are not") {
    refund.restocks = false;
    CHECK(told(shop.refund(refund)) == "refunded");
    CHECK(shop.taken("scarf") == std::vector<std::int64_t>{2});
  }
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("only a paid purchase is refunded, and once", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  with_pending(shop);
  auto order = refund_of(1);
  const auto refused_state = [&](std::string key) {
    order.key = key_of(std::move(key));
    const auto refused = refusal_of(shop.refund(order));
    CHECK(refused.why == ShopRefusal::wrong_state);
    return refused.state;
  };
  CHECK(told(shop.refund(refund_of(2))) == "purchase_unknown");
  CHECK(refused_state("a") == PurchaseState::pending);
  SUBCASE("it failed") {
    REQUIRE(told(shop.fail(1)) == "failed");
    CHECK(refused_state("b") == PurchaseState::failed);
  }
  SUBCASE("it is refunded") {
    REQUIRE(told(shop.pay(1)) == "paid");
    REQUIRE(told(shop.refund(refund_of(1))) == "refunded");
    CHECK(refused_state("a") == PurchaseState::refunded);  // a refusal is not kept for its key
    const auto again = shop.refund(refund_of(1));
    CHECK(again.is_repeated);
    CHECK(told(again) == "refunded");
    auto other = refund_of(1);
    other.key.fingerprint = "another request";
    CHECK(told(shop.refund(other)) == "key_reused");
    CHECK(shop.balances(1) == std::vector<Money>{euros(400)});
  }
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("a refund beyond the largest balance is refused and changes nothing", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  with_pending(shop);
  REQUIRE(told(shop.pay(1)) == "paid");
  REQUIRE(told(shop.adjust({1, euros(kMaxAmount - 399), "", kOpening, key_of("a")})) != "balance_limit");
  CHECK(told(shop.refund(refund_of(1))) == "balance_limit");
  CHECK(shop.find(1)->state == PurchaseState::paid);
  CHECK(shop.taken("scarf") == std::vector<std::int64_t>{2});
  REQUIRE(told(shop.adjust({1, euros(-1), "", kOpening, key_of("b")})) != "balance_insufficient");
  auto order = refund_of(1);
  order.key = key_of("c");
  CHECK(told(shop.refund(order)) == "refunded");
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("the purchases of a deleted account stay and can be refunded", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  with_pending(shop);
  REQUIRE(told(shop.pay(1)) == "paid");
  shop.erase_account(1);
  shop.reopen();
  CHECK(shop.find(1)->state == PurchaseState::paid);
  CHECK(shop.pages(1, 10).front().size() == 1);
  CHECK(told(shop.refund(refund_of(1))) == "refunded");
  CHECK(shop.balances(1) == std::vector<Money>{euros(400)});
  CHECK(shop.check_books({1}).at({viewer_ledger(1), "EUR"}) == 400);
}

TEST_CASE_TEMPLATE("a channel without an end is owned until it is refunded", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 5'000);
  auto arena = channel_product("arena", 900);
  SUBCASE("a channel") {}
  SUBCASE("a bundle") {
    arena.kind = ProductKind::bundle;
    arena.grant.channels = {"arena", "backstage"};
  }
  SUBCASE("a channel with fixed dates") { arena.grant.valid_until = kOpening + 48h; }
  shop.put({arena});
  const auto paid = paid_for(shop, 2, arena);
  CHECK(validity_in(paid) == Validity{kOpening, arena.grant.valid_until});
  CHECK(told(shop.buy(order_of(3, arena))) == "already_owned");
  CHECK(told(shop.buy(till_order(4, arena))) == "already_owned");
  CHECK(told(shop.refund(refund_of(2))) == "refunded");
  CHECK(told(shop.buy(order_of(5, arena))) == "paid");
  shop.reopen();
  CHECK(told(shop.buy(order_of(6, arena))) == "already_owned");
  CHECK(ids_of(shop.entitlements(1, kOpening)) == std::vector<PurchaseId>{5});
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("a product with a later fixed end may be bought again", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 5'000);
  auto arena = channel_product("arena", 900);
  arena.grant.valid_from = kOpening + 1h;
  arena.grant.valid_until = kOpening + 24h;
  shop.put({arena});
  CHECK(validity_in(paid_for(shop, 1, arena)) == Validity{kOpening + 1h, kOpening + 24h});
  arena.grant.valid_until = kOpening + 48h;
  shop.put({arena});
  CHECK(validity_in(paid_for(shop, 2, arena, kOpening + 1s)) == Validity{kOpening + 1h, kOpening + 48h});
  CHECK(told(shop.buy(order_of(3, arena, kOpening + 2s))) == "already_owned");
  CHECK(ids_of(shop.entitlements(1, kOpening + 2s)) == std::vector<PurchaseId>{1, 2});
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("a pass that is bought again begins at the end of the former one", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 5'000);
  const auto day = pass_of("day", 700, 24h), hour = pass_of("hour", 100, 1h);
  shop.put({day, hour});
  CHECK(validity_in(paid_for(shop, 1, day)) == Validity{kOpening, kOpening + 24h});
  shop.reopen();
  CHECK(validity_in(paid_for(shop, 2, day, kOpening + 1h)) == Validity{kOpening + 24h, kOpening + 48h});
  CHECK(validity_in(paid_for(shop, 3, hour, kOpening + 1h)) == Validity{kOpening + 1h, kOpening + 2h});
  REQUIRE(told(shop.buy(till_order(4, day, kOpening + 2h))) == "pending");
  CHECK(validity_in(done_of(shop.pay(4, kOpening + 3h))) == Validity{kOpening + 48h, kOpening + 72h});
  CHECK(told(shop.refund(refund_of(4))) == "refunded");
  CHECK(validity_in(paid_for(shop, 5, day, kOpening + 4h)) == Validity{kOpening + 48h, kOpening + 72h});
  CHECK(validity_in(paid_for(shop, 6, day, kOpening + 100h)) == Validity{kOpening + 100h, kOpening + 124h});
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("entitlements are those that have not ended, future ones too, in the order of purchase", Engine,
                   SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 9'000);
  shop.add_account(2);
  const auto day = pass_of("day", 700, 24h), arena = channel_product("arena", 900), tea = goods_of("tea", 100);
  auto final_day = pass_of("final", 500, 0s);
  final_day.grant = {false, {"arena", "stage"}, {}, kOpening + 72h, kOpening + 96h};
  shop.put({day, arena, tea, final_day});
  paid_for(shop, 9, day, kOpening);
  paid_for(shop, 8, final_day, kOpening + 1min);
  paid_for(shop, 5, tea, kOpening + 2min);
  paid_for(shop, 7, arena, kOpening + 3min);
  paid_for(shop, 6, day, kOpening + 4min);
  shop.reopen();
  const Entitlement first{9, true, {}, kOpening, kOpening + 24h, "day"};
  const Entitlement fixed{8, false, {"arena", "stage"}, kOpening + 72h, kOpening + 96h, "final"};
  const Entitlement endless{7, false, {"arena"}, kOpening + 3min, {}, "arena"};
  const Entitlement renewed{6, true, {}, kOpening + 24h, kOpening + 48h, "day"};
  CHECK(shop.entitlements(1, kOpening + 5min) == std::vector<Entitlement>{first, fixed, endless, renewed});
  CHECK(shop.entitlements(1, kOpening + 24h - 1s) == std::vector<Entitlement>{first, fixed, endless, renewed});
  CHECK(shop.entitlements(1, kOpening + 24h) == std::vector<Entitlement>{fixed, endless, renewed});
  CHECK(shop.entitlements(1, kOpening + 96h) == std::vector<Entitlement>{endless});
  CHECK(shop.entitlements(2, kOpening).empty());
  shop.check_books({1});
}
