// What every engine of the shop's store must do: what an account may own, and how many purchases may be pending.
#include <doctest/doctest.h>

#include "shop/shop_store_contract.h"

using namespace tribune::shop;
using namespace tribune::test;
using namespace std::chrono_literals;
namespace base = tribune::base;

namespace {

using Dates = std::pair<std::optional<base::WallTime>, std::optional<base::WallTime>>;

/// When the grant of the purchase is in effect.
Dates dates_of(const Outcome<Purchase>& outcome) {
  const auto purchase = done_of(outcome);
  return {purchase.grant.valid_from, purchase.grant.valid_until};
}

/// Channels and bundles that are owned once: without end, or until a fixed date.
std::vector<Product> products_owned_once() {
  auto bundle = goods_of("bundle", 100);
  bundle.kind = ProductKind::bundle;
  bundle.grant.channels = {"arena", "backstage"};
  auto dated = channel_product("final", 100);
  dated.grant.valid_until = kOpening + 48h;
  return {channel_product("arena", 100), bundle, dated};
}

}  // namespace

TEST_CASE_TEMPLATE("an account has at most five pending purchases at once", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 500);
  shop.add_account(2);
  const auto tea = goods_of("tea", 100, 1'000);
  shop.put({tea});
  PurchaseId id = 0;
  const auto told_next = [&] { return told(shop.buy(till_order(++id, tea))); };
  for (std::size_t i = 0; i < kMaxPendingPurchases; ++i) REQUIRE(told_next() == "pending");
  CHECK(told_next() == "limit_reached");
  shop.reopen();
  CHECK(told_next() == "limit_reached");
  CHECK(shop.taken("tea") == std::vector<std::int64_t>{5});
  CHECK(told(shop.buy(order_of(100, tea))) == "paid");
  auto of_another = till_order(101, tea);
  of_another.account = 2;
  CHECK(told(shop.buy(of_another)) == "pending");
  SUBCASE("one is paid") { CHECK(told(shop.pay(2)) == "paid"); }
  SUBCASE("one fails") { CHECK(told(shop.fail(3)) == "failed"); }
  CHECK(told_next() == "pending");
  CHECK(told_next() == "limit_reached");
  CHECK(shop.fail_overdue(kOpening + 1h) == 6);
  for (std::size_t i = 0; i < kMaxPendingPurchases; ++i) CHECK(told_next() == "pending");
  CHECK(told_next() == "limit_reached");
  shop.check_books({1, 2});
}

TEST_CASE_TEMPLATE("too many pending purchases are told after the stock", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_account(1);
  const auto tea = goods_of("tea", 100, 5);
  shop.put({tea});
  for (PurchaseId id = 1; id <= 5; ++id) REQUIRE(told(shop.buy(till_order(id, tea))) == "pending");
  CHECK(told(shop.buy(till_order(6, tea))) == "sold_out");
}

TEST_CASE_TEMPLATE("a product that is owned once has one pending purchase of an account", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 1'000);
  const auto day = pass_of("day", 100, 24h);
  PurchaseId first = 10;
  for (const auto& product : products_owned_once()) {
    CAPTURE(product.id);
    shop.put({product});
    first += 10;
    REQUIRE(told(shop.buy(till_order(first, product))) == "pending");
    CHECK(told(shop.buy(till_order(first + 1, product))) == "already_owned");
    REQUIRE(told(shop.fail(first)) == "failed");
    REQUIRE(told(shop.buy(till_order(first + 2, product))) == "pending");
    CHECK(told(shop.pay(first + 2)) == "paid");
    CHECK(told(shop.buy(till_order(first + 3, product))) == "already_owned");
  }
  shop.put({day});
  REQUIRE(told(shop.buy(till_order(1, day))) == "pending");
  REQUIRE(told(shop.buy(till_order(2, day))) == "pending");
  CHECK(dates_of(shop.pay(2)) == Dates{kOpening, kOpening + 24h});
  CHECK(dates_of(shop.pay(1)) == Dates{kOpening + 24h, kOpening + 48h});
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("a payment for what was bought from the balance meanwhile is refused", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 1'000);
  PurchaseId first = 10;
  for (const auto& product : products_owned_once()) {
    CAPTURE(product.id);
    shop.put({product});
    first += 10;
    REQUIRE(told(shop.buy(till_order(first, product))) == "pending");
    REQUIRE(told(shop.buy(order_of(first + 1, product))) == "paid");
    const auto journal = shop.journal(1, 100).size();
    CHECK(told(shop.pay(first)) == "already_owned");
    shop.reopen();
    CHECK(shop.find(first)->state == PurchaseState::pending);
    CHECK(shop.journal(1, 100).size() == journal);
    CHECK(told(shop.fail(first)) == "failed");
    CHECK(told(shop.refund(refund_of(first + 1))) == "refunded");
  }
  CHECK(shop.entitlements(1, kOpening).empty());
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("an account has at most 256 entitlements that have not ended", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_account(1);
  const auto minute = pass_of("minute", 0, 60s), hour = pass_of("hour", 0, 1h);
  const auto arena = channel_product("arena", 0), tea = goods_of("tea", 0);
  shop.put({minute, hour, arena, tea});
  PurchaseId id = 0;
  REQUIRE(told(shop.buy(till_order(++id, arena))) == "pending");
  while (id <= kMaxEntitlements) REQUIRE(told(shop.buy(order_of(++id, minute))) == "paid");
  CHECK(shop.entitlements(1, kOpening).size() == kMaxEntitlements);
  CHECK(told(shop.buy(order_of(++id, minute))) == "limit_reached");
  CHECK(told(shop.buy(till_order(++id, hour))) == "limit_reached");
  CHECK(told(shop.pay(1)) == "limit_reached");
  CHECK(told(shop.buy(order_of(++id, tea))) == "paid");
  CHECK(told(shop.buy(order_of(++id, hour, kOpening + 60s))) == "paid");
  CHECK(told(shop.buy(order_of(++id, hour, kOpening + 60s))) == "limit_reached");
  CHECK(told(shop.refund(refund_of(100))) == "refunded");
  CHECK(told(shop.pay(1, kOpening + 60s)) == "paid");
}

TEST_CASE_TEMPLATE("entitlements that ended a day ago are erased by the next purchase", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_account(1);
  const auto minute = pass_of("minute", 0, 60s);
  shop.put({minute});
  const auto end = kOpening + 60s;
  REQUIRE(told(shop.buy(order_of(1, minute))) == "paid");
  REQUIRE(told(shop.buy(order_of(2, minute, end + 24h - 1s))) == "paid");
  CHECK(ids_of(shop.entitlements(1, kOpening)) == std::vector<PurchaseId>{1, 2});
  REQUIRE(told(shop.buy(order_of(3, minute, end + 24h))) == "paid");
  CHECK(ids_of(shop.entitlements(1, kOpening)) == std::vector<PurchaseId>{2, 3});
  CHECK(told(shop.refund(refund_of(1))) == "refunded");
  CHECK(ids_of(shop.entitlements(1, kOpening)) == std::vector<PurchaseId>{2, 3});
}

TEST_CASE_TEMPLATE("entitlements that have ended stay bounded also within a day", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_account(1);
  const auto second = pass_of("second", 0, 1s);
  shop.put({second});
  for (PurchaseId id = 1; id <= 2 * kMaxEntitlements; ++id)
    REQUIRE(told(shop.buy(order_of(id, second, kOpening + id * 1s))) == "paid");
  CHECK(shop.entitlements(1, kOpening).size() <= kMaxEntitlements + 1);
}

TEST_CASE_TEMPLATE("a pass is not renewed beyond the longest validity", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 1'000);
  const auto longest = pass_of("longest", 100, kMaxValidity);
  shop.put({longest});
  REQUIRE(told(shop.buy(till_order(1, longest))) == "pending");
  CHECK(dates_of(shop.buy(order_of(2, longest))) == Dates{kOpening, kOpening + kMaxValidity});
  CHECK(told(shop.buy(order_of(3, longest))) == "already_owned");
  CHECK(told(shop.buy(till_order(4, longest, kOpening + 1h))) == "already_owned");
  CHECK(told(shop.pay(1)) == "already_owned");
  const auto end = kOpening + kMaxValidity;
  CHECK(dates_of(shop.buy(order_of(5, longest, end))) == Dates{end, end + kMaxValidity});
  CHECK(shop.balances(1) == std::vector<Money>{euros(800)});
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("a pass begins at the first moment that is not covered, also before a later one", Engine,
                   SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 5'000);
  const auto day = pass_of("day", 700, 24h);
  shop.put({day});
  CHECK(dates_of(shop.buy(order_of(1, day))) == Dates{kOpening, kOpening + 24h});
  CHECK(dates_of(shop.buy(order_of(2, day))) == Dates{kOpening + 24h, kOpening + 48h});
  REQUIRE(told(shop.refund(refund_of(1, kOpening + 1h))) == "refunded");
  CHECK(ids_of(shop.entitlements(1, kOpening + 1h)) == std::vector<PurchaseId>{2});
  // It closes the gap from now to the begin of the second one, and overlaps it by an hour.
  CHECK(dates_of(shop.buy(order_of(3, day, kOpening + 1h))) == Dates{kOpening + 1h, kOpening + 25h});
  CHECK(dates_of(shop.buy(order_of(4, day, kOpening + 2h))) == Dates{kOpening + 48h, kOpening + 72h});
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("a pending purchase is settled also when its account is blocked or deleted", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_account(1);
  const auto arena = channel_product("arena", 900), tea = goods_of("tea", 100, 1);
  shop.put({arena, tea});
  REQUIRE(told(shop.buy(till_order(1, arena))) == "pending");
  REQUIRE(told(shop.buy(till_order(2, tea))) == "pending");
  SUBCASE("an account that is blocked") { shop.block(1); }
  SUBCASE("an account that was deleted") { shop.erase_account(1); }
  CHECK(told(shop.pay(1)) == "paid");
  CHECK(told(shop.fail(2)) == "failed");
  CHECK(shop.taken("tea") == std::vector<std::int64_t>{0});
  CHECK(shop.check_books({1}).at({"till", "EUR"}) == -900);
}
