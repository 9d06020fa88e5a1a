// Records of the embedded store that exist and cannot be read: they do not count as absent ones.
#include <doctest/doctest.h>

#include "shop/shop_store_contract.h"
#include "store/transactional_store.h"

using namespace tribune::shop;
using namespace tribune::test;
using namespace std::chrono_literals;
namespace base = tribune::base;
namespace store = tribune::store;

namespace {

/// Gives a record of the table another text, or erases it: the one with the key, or the first one for an empty key.
/// Returns its key.
std::string damage(OpenedShop& shop, const std::string& table, std::string key,
                   const std::optional<std::string>& text) {
  shop.close();
  {
    store::TransactionalStoreOptions options;
    options.directory = shop.folder().path();
    options.name = "tribune accounts";
    options.tables = {table};
    auto tables = store::TransactionalStore::open(options, silent_log());
    REQUIRE_MESSAGE(tables.has_value(), (tables ? "" : tables.error().text));
    const auto work = [&](store::WriteTransaction& t) -> base::Status {
      const auto take_first = [&](std::string_view first, std::string_view) {
        key = first;
        return false;
      };
      if (key.empty()) t.scan(table, "", take_first);
      if (text) t.put(table, key, *text);
      if (!text) t.erase(table, key);
      return {};
    };
    REQUIRE(reported_by<void>([&](auto done) { (*tables)->write(work, done); }).has_value());
  }
  shop.reopen();
  return key;
}

/// Account 1 with 900 cents, and a purchase that is paid.
void fill(OpenedShop& shop) {
  shop.add_buyer(1, 1'000);
  const auto tea = goods_of("tea", 100);
  shop.put({tea});
  REQUIRE(told(shop.buy(order_of(1, tea))) == "paid");
}

/// Whether the step ended with an error that names the record.
template <class T>
bool names_record(const base::Result<T>& result, const std::string& table, const std::string& key) {
  return !result && result.error().kind == base::ErrorKind::protocol &&
         result.error().text.find(table) != std::string::npos && result.error().text.find(key) != std::string::npos;
}

using Bought = base::Result<Outcome<Purchase>>;
using Adjusted = base::Result<Outcome<BalanceChange>>;

Bought try_buy(OpenedShop& shop, PurchaseId id) {
  const auto order = order_of(id, goods_of("tea", 100));
  return reported_by<Outcome<Purchase>>([&](auto done) { shop.store().purchase(order, done); });
}

Adjusted try_adjust(OpenedShop& shop) {
  return reported_by<Outcome<BalanceChange>>([&](auto done) {
    shop.store().adjust_balance({1, euros(5), "", kOpening, key_of("more")}, done);
  });
}

}  // namespace

TEST_CASE("a balance that cannot be read is not one of nothing") {
  OpenedShop shop(&EmbeddedShopEngine::open);
  fill(shop);
  for (const auto* text : {"", "much", "12 ", "1e3", "99999999999999999999"}) {
    CAPTURE(text);
    const auto key = damage(shop, "balances", "", text);
    CHECK(names_record(try_buy(shop, 2), "balances", key));
    CHECK(names_record(try_adjust(shop), "balances", key));
    CHECK(names_record(reported_by<std::vector<Money>>([&](auto done) { shop.store().balances(1, done); }), "balances",
                       key));
    CHECK(names_record(reported_by<Outcome<Purchase>>([&](auto done) { shop.store().refund(refund_of(1), done); }),
                       "balances", key));
  }
  CHECK(shop.find(1)->state == PurchaseState::paid);
  CHECK_FALSE(shop.find(2).has_value());
  CHECK(shop.journal(1, 10).size() == 2);
}

TEST_CASE("a counter of the journal that cannot be read does not begin the journal again") {
  OpenedShop shop(&EmbeddedShopEngine::open);
  fill(shop);
  for (const auto& text :
       std::vector<std::string>{"", "2", "2 ", "x " + std::string(64, 'a'), "0 " + std::string(64, 'a'),
                                "2 " + std::string(63, 'a'), "-1 " + std::string(64, 'a')}) {
    CAPTURE(text);
    damage(shop, "shop_counters", "journal", text);
    CHECK(names_record(try_adjust(shop), "shop_counters", "journal"));
    CHECK(shop.balances(1) == std::vector<Money>{euros(900)});
    CHECK(shop.journal(1, 10).size() == 2);
  }
}

TEST_CASE("an outcome that cannot be read does not let its request be carried out again") {
  OpenedShop shop(&EmbeddedShopEngine::open);
  shop.add_account(1);
  shop.put({goods_of("tea", 100)});
  REQUIRE(try_adjust(shop).has_value());
  for (const auto* text : {"", "{}", R"({"fingerprint":"request more","at":1800000000000,"record":"{}"})"}) {
    CAPTURE(text);
    const auto key = damage(shop, "outcomes", "", text);
    CHECK(names_record(try_adjust(shop), "outcomes", key));
  }
  CHECK(shop.balances(1) == std::vector<Money>{euros(5)});
  CHECK(shop.forget_keys(kOpening + kKeyLifetime) == 1);
  CHECK(try_adjust(shop).has_value());
}

TEST_CASE("a purchase that cannot be read is not an unknown one") {
  OpenedShop shop(&EmbeddedShopEngine::open);
  shop.add_account(1);
  const auto tea = goods_of("tea", 100);
  shop.put({tea});
  REQUIRE(told(shop.buy(till_order(1, tea))) == "pending");
  std::optional<std::string> text;
  SUBCASE("its record has a wrong text") { text = "{}"; }
  SUBCASE("its record is missing") {}
  const auto key = damage(shop, "purchases", "", text);
  const PaymentResult result{1, true, "", kOpening};
  CHECK(names_record(reported_by<Outcome<Purchase>>([&](auto done) { shop.store().settle(result, done); }), "purchases",
                     key));
  CHECK(names_record(reported_by<Outcome<Purchase>>([&](auto done) { shop.store().refund(refund_of(1), done); }),
                     "purchases", key));
  CHECK(names_record(reported_by<std::size_t>([&](auto done) { shop.store().fail_overdue(kOpening + 1h, done); }),
                     "purchases", key));
  CHECK(names_record(reported_by<std::optional<Purchase>>([&](auto done) { shop.store().find_purchase(1, done); }),
                     "purchases", key));
  CHECK(shop.journal(1, 10).empty());
}
