// What every engine of the shop's store must do: the checks of an order, its idempotency key, and what it gives.
#include <doctest/doctest.h>

#include <atomic>
#include <set>
#include <thread>

#include "shop/shop_store_contract.h"

using namespace tribune::shop;
using namespace tribune::test;
using namespace std::chrono_literals;
namespace base = tribune::base;

namespace {

Outcome<Purchase> with_key(OpenedShop& shop, PurchaseOrder order, std::string key) {
  order.key = key_of(std::move(key));
  return shop.buy(std::move(order));
}

std::vector<PurchaseId> ids_on(const std::vector<Purchase>& page) {
  std::vector<PurchaseId> ids;
  for (const auto& purchase : page) ids.push_back(purchase.id);
  return ids;
}

}  // namespace

TEST_CASE_TEMPLATE("a purchase from the balance has the product as it was, and is durable", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 1'000);
  auto scarf = goods_with_options("scarf", 200, 5);
  scarf.title.ru = "Шарф";
  shop.put({scarf});
  auto order = order_of(7, scarf, kOpening + 5s);
  order.option = "m";
  order.quantity = 3;
  const auto bought = done_of(shop.buy(order));
  Purchase expected;
  expected.id = 7;
  expected.account = 1;
  expected.state = PurchaseState::paid;
  expected.method = "balance";
  expected.product = "scarf";
  expected.title = scarf.title;
  expected.option = "m";
  expected.option_title = {"Medium", ""};
  expected.quantity = 3;
  expected.price = euros(200);
  expected.total = euros(600);
  expected.created = expected.decided = kOpening + 5s;
  expected.deadline = bought.deadline;  // of no meaning for a purchase that was never pending
  CHECK(bought == expected);
  scarf.title = {"Another", "Другой"};
  shop.put({scarf});
  shop.reopen();
  CHECK(shop.find(7) == expected);
  CHECK_FALSE(shop.find(8).has_value());
  CHECK(shop.taken("scarf") == std::vector<std::int64_t>{0, 3});
  const auto journal = shop.journal(2, 10);
  REQUIRE(journal.size() == 1);
  CHECK(journal[0].kind == JournalKind::purchase);
  CHECK(journal[0].reference == tribune::accounts::to_text(7));
  CHECK(postings_of(journal[0]) == Ledgers{{{viewer_ledger(1), "EUR"}, -600}, {{"sales", "EUR"}, 600}});
  CHECK(shop.check_books({1}).at({viewer_ledger(1), "EUR"}) == 400);
}

TEST_CASE_TEMPLATE("an order is checked in a fixed sequence, and a refusal changes nothing", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(2, 100);
  const auto scarf = goods_with_options("scarf", 200, 2);
  shop.put({scarf});
  auto order = order_of(1, goods_of("coat", 999));
  order.quantity = 0;
  auto told_now = [&, attempt = 0]() mutable {
    return told(with_key(shop, order, "attempt " + std::to_string(++attempt)));
  };
  CHECK(told_now() == "account_unknown");
  order.account = 2;
  CHECK(told_now() == "product_unknown");
  order.product = "scarf";
  CHECK(told_now() == "option_unknown");
  order.option = "l";
  CHECK(told_now() == "quantity");
  order.quantity = 3;
  CHECK(told_now() == "price_changed");
  order.price = scarf.price;
  CHECK(refusal_of(with_key(shop, order, "too many")) == RefusedOrder{ShopRefusal::sold_out, {}, 2, {}});
  order.quantity = 2;
  CHECK(refusal_of(with_key(shop, order, "too poor")) ==
        RefusedOrder{ShopRefusal::balance_insufficient, euros(300), 0, {}});
  CHECK_FALSE(shop.find(1).has_value());
  CHECK(shop.taken("scarf") == std::vector<std::int64_t>{0, 0});
  CHECK(shop.pages(2, 10) == std::vector<std::vector<Purchase>>{{}});
  CHECK(shop.journal(1, 10).size() == 1);
  REQUIRE(told(shop.adjust({2, euros(300), "", kOpening, key_of("more")})) == "EUR 400");
  CHECK(told_now() == "paid");
  shop.check_books({2});
}

TEST_CASE_TEMPLATE("what is owned is refused after the price and before the balance", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 900);
  const auto arena = channel_product("arena", 900);
  shop.put({arena});
  CHECK(told(shop.buy(order_of(1, arena))) == "paid");
  CHECK(told(shop.buy(order_of(2, arena))) == "already_owned");
  auto wrong = order_of(3, arena);
  wrong.price = euros(1);
  CHECK(told(shop.buy(wrong)) == "price_changed");
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("only an active account buys", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  const auto tea = goods_of("tea", 0);
  shop.put({tea});
  SUBCASE("no such account") {}
  SUBCASE("a blocked account") {
    shop.add_account(1);
    shop.block(1);
  }
  SUBCASE("a declined account") { shop.add_account(1, tribune::accounts::AccountState::declined); }
  SUBCASE("a deleted account") {
    shop.add_account(1);
    shop.erase_account(1);
  }
  CHECK(told(shop.buy(order_of(1, tea))) == "account_unknown");
  CHECK(told(shop.buy(till_order(2, tea))) == "account_unknown");
}

TEST_CASE_TEMPLATE("goods with options are ordered by one of them, and others by none", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 1'000);
  const auto scarf = goods_with_options("scarf", 200, 1);
  const auto tea = goods_of("tea", 100);
  shop.put({scarf, tea});
  auto order = order_of(1, scarf);
  CHECK(told(with_key(shop, order, "none")) == "option_unknown");
  order.option = "xl";
  CHECK(told(with_key(shop, order, "unknown")) == "option_unknown");
  order.option = "l";
  CHECK(told(with_key(shop, order, "known")) == "paid");
  order.id = 2;
  CHECK(told(with_key(shop, order, "sold out")) == "sold_out");
  order.option = "m";
  CHECK(told(with_key(shop, order, "the other one")) == "paid");
  auto other = order_of(3, tea);
  other.option = "l";
  CHECK(told(shop.buy(other)) == "option_unknown");
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("goods are sold in quantities, and other kinds one at a time", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 10'000);
  const auto tea = goods_of("tea", 1), arena = channel_product("arena", 1), day = pass_of("day", 1, 24h);
  const auto gold = goods_of("gold", kMaxAmount / 2 + 1);
  shop.put({tea, arena, day, gold});
  auto told_for = [&, id = PurchaseId{0}](const Product& product, std::int64_t quantity) mutable {
    auto order = till_order(++id, product);
    order.quantity = quantity;
    return told(shop.buy(order));
  };
  CHECK(told_for(tea, 0) == "quantity");
  CHECK(told_for(tea, -1) == "quantity");
  CHECK(told_for(tea, kMaxQuantity + 1) == "quantity");
  CHECK(told_for(tea, kMaxQuantity) == "pending");
  CHECK(told_for(arena, 2) == "quantity");
  CHECK(told_for(day, 2) == "quantity");
  CHECK(told_for(day, 1) == "pending");
  CHECK(told_for(gold, 2) == "quantity");
  CHECK(told_for(gold, 1) == "pending");
}

TEST_CASE_TEMPLATE("a purchase for nothing is paid without a journal transaction", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_account(1);
  const auto flag = goods_of("flag", 0, 1);
  const auto lobby = channel_product("lobby", 0);
  shop.put({flag, lobby});
  CHECK(told(shop.buy(order_of(1, flag))) == "paid");
  CHECK(told(shop.buy(order_of(2, flag))) == "sold_out");
  CHECK(told(shop.buy(order_of(3, lobby))) == "paid");
  CHECK(ids_of(shop.entitlements(1, kOpening)) == std::vector<PurchaseId>{3});
  CHECK(told(shop.refund(refund_of(1))) == "refunded");
  CHECK(told(shop.buy(order_of(4, flag))) == "paid");
  CHECK(shop.journal(1, 10).empty());
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("a repeated order reports the first outcome, whatever has happened since", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 500);
  const auto tea = goods_of("tea", 300, 5);
  shop.put({tea});
  const auto first = shop.buy(order_of(1, tea));
  CHECK_FALSE(first.is_repeated);
  SUBCASE("nothing else") {}
  SUBCASE("a refund") { CHECK(told(shop.refund(refund_of(1))) == "refunded"); }
  SUBCASE("the product was erased") {
    CatalogueChange change;
    change.replaces_all = true;
    shop.change(change);
  }
  SUBCASE("the account was blocked") { shop.block(1); }
  shop.reopen();
  auto repetition = order_of(1, tea, kOpening + 30s);
  SUBCASE("with the same id") {}
  SUBCASE("with another id") { repetition.id = 2; }
  const auto again = shop.buy(repetition);
  CHECK(again.is_repeated);
  CHECK(done_of(again) == done_of(first));
  CHECK_FALSE(shop.find(2).has_value());
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("a refused order is not kept for its key, and is decided again when it is repeated", Engine,
                   SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  const auto later = kOpening + kKeyLifetime + 1h;
  shop.add_account(1);
  auto tea = goods_of("tea", 0, 0);
  shop.put({tea});
  for (int i = 0; i < 3; ++i) {
    const auto refused = shop.buy(order_of(1, tea));
    CHECK(told(refused) == "sold_out");
    CHECK_FALSE(refused.is_repeated);
  }
  CHECK(shop.forget_keys(later) == 0);
  tea.stock = 5;
  shop.put({tea});
  const auto again = shop.buy(order_of(1, tea));
  CHECK_FALSE(again.is_repeated);
  CHECK(told(again) == "paid");
  CHECK(shop.buy(order_of(1, tea)).is_repeated);
  CHECK(shop.forget_keys(later) == 1);
  CHECK(shop.forget_keys(later) == 0);
}

TEST_CASE_TEMPLATE("a clock that begins in 1970 forgets no key", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_account(1);
  const auto tea = goods_of("tea", 0);
  shop.put({tea});
  CHECK(told(shop.buy(order_of(1, tea))) == "paid");
  CHECK(shop.forget_keys(base::WallTime{5min}) == 0);
  CHECK(shop.buy(order_of(1, tea)).is_repeated);
}

TEST_CASE_TEMPLATE("a key with another fingerprint is refused, and keeps its outcome", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 500);
  shop.add_buyer(2, 500);
  const auto tea = goods_of("tea", 100);
  shop.put({tea});
  auto order = order_of(1, tea);
  REQUIRE(told(shop.buy(order)) == "paid");
  auto other = order_of(2, tea);
  other.key = {order.key.key, "another request"};
  const auto refused = shop.buy(other);
  CHECK(told(refused) == "key_reused");
  CHECK_FALSE(shop.find(2).has_value());
  const auto again = shop.buy(order);
  CHECK(again.is_repeated);
  CHECK(done_of(again).id == 1);
  other.account = 2;
  CHECK(told(shop.buy(other)) == "paid");
  shop.check_books({1, 2});
}

TEST_CASE_TEMPLATE("an order by an unknown account may be repeated when the account exists", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  const auto tea = goods_of("tea", 0);
  shop.put({tea});
  CHECK(told(shop.buy(order_of(1, tea))) == "account_unknown");
  shop.add_account(1);
  const auto outcome = shop.buy(order_of(1, tea));
  CHECK(told(outcome) == "paid");
  CHECK_FALSE(outcome.is_repeated);
}

TEST_CASE_TEMPLATE("outcomes are kept for the lifetime of their keys, and then forgotten", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 500);
  const auto tea = goods_of("tea", 100);
  shop.put({tea});
  const auto later = kOpening + kKeyLifetime;
  REQUIRE(told(shop.buy(order_of(1, tea, kOpening))) == "paid");
  REQUIRE(told(shop.buy(order_of(2, tea, kOpening + 1h))) == "paid");
  CHECK(shop.forget_keys(later - 1s) == 0);
  CHECK(shop.buy(order_of(1, tea, later - 1s)).is_repeated);
  CHECK(shop.forget_keys(later + 1s) == 2);  // that of the first payment into the balance too
  CHECK(shop.buy(order_of(2, tea, later + 1s)).is_repeated);
  auto order = order_of(3, tea, later + 1s);
  order.key = order_of(1, tea).key;
  const auto outcome = shop.buy(order);
  CHECK_FALSE(outcome.is_repeated);
  CHECK(done_of(outcome).id == 3);
  shop.reopen();
  CHECK(shop.balances(1) == std::vector<Money>{euros(200)});
  shop.check_books({1});
}

TEST_CASE_TEMPLATE("an outcome that is not forgotten is reported, whatever the wall clock says", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 500);
  const auto tea = goods_of("tea", 100);
  shop.put({tea});
  REQUIRE(told(shop.buy(order_of(1, tea))) == "paid");
  CHECK(shop.buy(order_of(1, tea, kOpening + 2 * kKeyLifetime)).is_repeated);
  CHECK(shop.buy(order_of(1, tea, kOpening - 2 * kKeyLifetime)).is_repeated);
  CHECK(shop.balances(1) == std::vector<Money>{euros(400)});
}

TEST_CASE_TEMPLATE("keys are forgotten in parts, and the size of each is reported", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_account(1);
  const auto tea = goods_of("tea", 0);
  shop.put({tea});
  std::vector<std::future<base::Result<Outcome<Purchase>>>> orders;
  for (PurchaseId id = 1; id <= kMaxForgottenKeys + 3; ++id) {
    auto promise = std::make_shared<std::promise<base::Result<Outcome<Purchase>>>>();
    orders.push_back(promise->get_future());
    shop.store().purchase(order_of(id, tea), [promise](auto outcome) { promise->set_value(std::move(outcome)); });
  }
  for (auto& order : orders) REQUIRE(order.get().has_value());
  CHECK(shop.forget_keys(kOpening + kKeyLifetime) == kMaxForgottenKeys);
  CHECK(shop.forget_keys(kOpening + kKeyLifetime) == 3);
  CHECK(shop.forget_keys(kOpening + kKeyLifetime) == 0);
}

TEST_CASE_TEMPLATE("purchases are listed page by page, the newest first", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_account(1);
  shop.add_account(2);
  const auto tea = goods_of("tea", 0);
  shop.put({tea});
  CHECK(shop.pages(1, 3) == std::vector<std::vector<Purchase>>{{}});
  // The ids have another order than the times.
  for (PurchaseId id = 1; id <= 7; ++id)
    REQUIRE(told(shop.buy(order_of(id, tea, kOpening + (id * 5 % 7) * 1min))) == "paid");
  auto foreign = order_of(9, tea, kOpening + 3min);
  foreign.account = 2;
  REQUIRE(told(shop.buy(foreign)) == "paid");
  shop.reopen();
  const auto pages = shop.pages(1, 3);
  REQUIRE(pages.size() == 3);
  CHECK(ids_on(pages[0]) == std::vector<PurchaseId>{4, 1, 5});
  CHECK(ids_on(pages[1]) == std::vector<PurchaseId>{2, 6, 3});
  CHECK(ids_on(pages[2]) == std::vector<PurchaseId>{7});
  CHECK(pages[0][0] == shop.find(4));
  CHECK(ids_on(shop.pages(2, 3).front()) == std::vector<PurchaseId>{9});
  const auto wrong = reported_by<PurchasePage>([&](auto done) { shop.store().purchases(1, "page 2 please", 3, done); });
  REQUIRE_FALSE(wrong.has_value());
  CHECK(wrong.error().kind == base::ErrorKind::invalid_input);
}

TEST_CASE_TEMPLATE("purchases of one instant are listed once each, also across pages", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_account(1);
  const auto tea = goods_of("tea", 0);
  shop.put({tea});
  std::set<PurchaseId> bought, listed;
  for (PurchaseId id = 1; id < 1'000'000'000'000'000'000; id = id * 37 + 1) {
    REQUIRE(told(shop.buy(order_of(id, tea))) == "paid");
    bought.insert(id);
  }
  std::size_t count = 0;
  for (const auto& page : shop.pages(1, 2))
    for (const auto id : ids_on(page)) {
      listed.insert(id);
      ++count;
    }
  CHECK(listed == bought);
  CHECK(count == bought.size());
}

TEST_CASE_TEMPLATE("a page that ends with the last purchase has no next one", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_account(1);
  const auto tea = goods_of("tea", 0);
  shop.put({tea});
  for (PurchaseId id = 1; id <= 4; ++id) REQUIRE(told(shop.buy(order_of(id, tea))) == "paid");
  CHECK(shop.pages(1, 2).size() == 2);
}

TEST_CASE_TEMPLATE("of five hundred buyers of the last ten pieces ten are served", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  const auto scarf = goods_of("scarf", 150, 12);
  shop.put({scarf});
  constexpr AccountId kBuyers = 500, kThreads = 10;
  std::atomic<int> paid{0}, sold_out{0};
  const auto in_threads = [&](auto step) {
    std::vector<std::thread> threads;
    for (AccountId first = 1; first <= kThreads; ++first)
      threads.emplace_back([&, first] {
        for (AccountId id = first; id <= kBuyers; id += kThreads) step(id);
      });
    for (auto& thread : threads) thread.join();
  };
  in_threads([&](AccountId id) { shop.add_buyer(id, 200); });
  auto two = order_of(1'000, scarf);
  two.quantity = 2;
  two.settlement = Settlement::later;
  REQUIRE(told(shop.buy(two)) == "pending");
  in_threads([&](AccountId id) {
    auto order = order_of(id, scarf);
    order.account = id;
    const auto outcome = shop.buy(order);
    paid += told(outcome) == "paid";
    const auto* refused = std::get_if<RefusedOrder>(&outcome.result);
    sold_out += refused && refused->why == ShopRefusal::sold_out && refused->left == 0;
  });
  CHECK(paid == 10);
  CHECK(sold_out == 490);
  CHECK(shop.taken("scarf") == std::vector<std::int64_t>{12});
  std::vector<AccountId> buyers;
  for (AccountId id = 1; id <= kBuyers; ++id) buyers.push_back(id);
  CHECK(shop.check_books(buyers).at({"sales", "EUR"}) == 10 * 150);
}

TEST_CASE_TEMPLATE("orders with one key at one instant are one purchase", Engine, SHOP_ENGINES) {
  OpenedShop shop(Engine::open);
  shop.add_buyer(1, 1'000);
  const auto tea = goods_of("tea", 100);
  shop.put({tea});
  std::vector<Outcome<Purchase>> outcomes(8);
  std::vector<std::thread> threads;
  for (PurchaseId id = 1; id <= outcomes.size(); ++id)
    threads.emplace_back([&, id] { outcomes[id - 1] = with_key(shop, order_of(id, tea), "one key"); });
  for (auto& thread : threads) thread.join();
  std::set<PurchaseId> ids;
  int carried_out = 0;
  for (const auto& outcome : outcomes) {
    ids.insert(done_of(outcome).id);
    carried_out += !outcome.is_repeated;
  }
  CHECK(ids.size() == 1);
  CHECK(carried_out == 1);
  CHECK(shop.balances(1) == std::vector<Money>{euros(900)});
  CHECK(shop.pages(1, 10).front().size() == 1);
  shop.check_books({1});
}
