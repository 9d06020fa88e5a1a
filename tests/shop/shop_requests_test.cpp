#include "shop/shop_service.h"

#include <atomic>

#include "shop/shop_store_contract.h"

using namespace tribune;
using namespace tribune::shop;
using namespace std::chrono_literals;

namespace {

template <class T, class Call>
ShopAnswer<T> answer_to(Call call) {
  std::promise<ShopAnswer<T>> promise;
  call([&](ShopAnswer<T> answer) { promise.set_value(std::move(answer)); });
  return promise.get_future().get();
}

/// A service with account 1, whose balance is EUR 10, and pies at EUR 4.
struct ShopOfPies {
  explicit ShopOfPies(const ShopSettings& settings = {}) {
    auto stores = test::EmbeddedShopEngine::open(folder);
    accounts::Account account;
    account.id = 1;
    account.login = "viewer";
    REQUIRE(test::reported_by<void>([&](auto done) { stores.accounts->create(account, done); }));
    service = std::make_unique<ShopService>(settings, std::move(stores.shop), clock, test::silent_log(), metrics);
    accounts = std::move(stores.accounts);
    REQUIRE(service->start([this](auto seen) { catalogue.publish(std::move(seen)); }));
    CatalogueChange change;
    change.products = {test::goods_of("pie", 400, 100)};
    REQUIRE(answer_to<std::uint64_t>([&](auto done) { service->change_catalogue(change, done); }));
    REQUIRE(answer_to<BalanceChange>(
        [&](auto done) { service->adjust_balance(1, test::euros(1'000), "test", "opening", done); }));
  }
  ~ShopOfPies() {
    service.reset();
    accounts.reset();
  }

  PurchaseRequest pie(std::string key, std::int64_t quantity = 1) const {
    return {1, "pie", "", quantity, test::euros(400), "balance", std::move(key)};
  }
  ShopAnswer<Outcome<Purchase>> bought(const PurchaseRequest& request) {
    return answer_to<Outcome<Purchase>>([&](auto done) { service->purchase(request, done); });
  }

  test::Folder folder;
  base::ManualClock clock{test::kOpening};
  base::Metrics metrics;
  base::Published<CatalogueView> catalogue{std::make_shared<const CatalogueView>()};
  std::unique_ptr<accounts::AccountStore> accounts;
  std::unique_ptr<ShopService> service;
};

}  // namespace

TEST_CASE("a repeated request has the outcome of the first one, and another one with its key is refused") {
  ShopOfPies shop;
  const auto first = shop.bought(shop.pie("key"));
  const auto again = shop.bought(shop.pie("key"));
  REQUIRE(first);
  REQUIRE(again);
  CHECK_FALSE(first->is_repeated);
  CHECK(again->is_repeated);
  CHECK(std::get<Purchase>(first->result) == std::get<Purchase>(again->result));
  const auto other = shop.bought(shop.pie("key", 2));
  REQUIRE_FALSE(other);
  CHECK(other.error().order.why == ShopRefusal::key_reused);
  auto option = shop.pie("key");
  option.option = "red";
  CHECK(shop.bought(option).error().order.why == ShopRefusal::key_reused);
}

TEST_CASE("a request with a key whose first request is not answered is refused, and later has its outcome") {
  ShopOfPies shop;
  // The callback of this step holds the store, so that nothing is answered until it returns.
  std::promise<void> is_held, may_go_on;
  shop.service->adjust_balance(1, test::euros(1), "test", "holds the store", [&](const ShopAnswer<BalanceChange>&) {
    is_held.set_value();
    may_go_on.get_future().wait();
  });
  is_held.get_future().wait();
  std::promise<ShopAnswer<Outcome<Purchase>>> first;
  shop.service->purchase(shop.pie("key"), [&](auto answer) { first.set_value(std::move(answer)); });
  const auto second = shop.bought(shop.pie("key"));
  REQUIRE_FALSE(second);
  CHECK(second.error().what == ShopFailure::in_progress);
  CHECK(second.error().retry_after > 0s);
  may_go_on.set_value();
  CHECK(first.get_future().get());
  const auto third = shop.bought(shop.pie("key"));
  REQUIRE(third);
  CHECK(third->is_repeated);
}

TEST_CASE("requests of operators with different keys do not hinder each other") {
  ShopOfPies shop;
  std::promise<void> is_held, may_go_on;
  shop.service->adjust_balance(1, test::euros(1), "test", "a", [&](const ShopAnswer<BalanceChange>&) {
    is_held.set_value();
    may_go_on.get_future().wait();
  });
  is_held.get_future().wait();
  std::promise<ShopAnswer<BalanceChange>> other;
  shop.service->adjust_balance(1, test::euros(1), "test", "b",
                               [&](auto answer) { other.set_value(std::move(answer)); });
  may_go_on.set_value();
  CHECK(other.get_future().get());
}

TEST_CASE("a method of payment that is not offered is refused") {
  ShopOfPies shop;
  auto request = shop.pie("key");
  for (const auto* method : {"till", "", "credit"}) {
    request.method = method;
    const auto answer = shop.bought(request);
    REQUIRE_FALSE(answer);
    CHECK(answer.error().what == ShopFailure::method_unknown);
  }
  ShopSettings settings;
  settings.payment_methods = {"till"};
  shop.service->apply(settings);
  request.method = "till";
  const auto pending = shop.bought(request);
  REQUIRE(pending);
  CHECK(std::get<Purchase>(pending->result).state == PurchaseState::pending);
}

TEST_CASE("a change of the catalogue is published before it is answered, and a sale at the next tick") {
  ShopOfPies shop;
  CHECK(shop.catalogue.get()->version == 1);
  CHECK(shop.catalogue.get()->products.at(0).taken.at(0) == 0);
  REQUIRE(shop.bought(shop.pie("key", 2)));
  shop.service->tick();
  // The read that the tick began is answered before a later change.
  CatalogueChange change;
  change.if_version = 1;
  REQUIRE(answer_to<std::uint64_t>([&](auto done) { shop.service->change_catalogue(change, done); }));
  CHECK(shop.catalogue.get()->version == 2);
  CHECK(shop.catalogue.get()->products.at(0).taken.at(0) == 2);
  CHECK(answer_to<std::uint64_t>([&](auto done) { shop.service->change_catalogue(change, done); }).error().what ==
        ShopFailure::conflict);
}

TEST_CASE("vouchers are told once, and each adds its amount to the balance once") {
  ShopOfPies shop;
  const auto issued = answer_to<IssuedVouchers>(
      [&](auto done) { shop.service->create_vouchers(test::euros(250), 3, test::kOpening + 1h, "match day", done); });
  REQUIRE(issued);
  REQUIRE(issued->codes.size() == 3);
  const auto redeemed = [&](const std::string& code, std::string key) {
    return answer_to<Outcome<BalanceChange>>([&](auto done) { shop.service->redeem(1, code, std::move(key), done); });
  };
  const auto first = redeemed(issued->codes[0], "a");
  REQUIRE(first);
  CHECK(std::get<BalanceChange>(first->result).balance == test::euros(1'250));
  CHECK(redeemed(issued->codes[0], "a")->is_repeated);
  CHECK(redeemed(issued->codes[0], "b").error().order.why == ShopRefusal::voucher_used);
  CHECK(redeemed("aaaa-bbbb-cccc-dddd", "c").error().order.why == ShopRefusal::voucher_unknown);
  shop.clock.advance(1h);
  CHECK(redeemed(issued->codes[1], "d").error().order.why == ShopRefusal::voucher_unknown);
}

TEST_CASE("the service ends while requests are under way, and each of them is answered") {
  std::atomic<int> answered{0};
  {
    ShopOfPies shop;
    for (int i = 0; i < 200; ++i)
      shop.service->purchase(shop.pie("key " + std::to_string(i % 50)), [&](const auto&) { ++answered; });
  }
  CHECK(answered == 200);
}
