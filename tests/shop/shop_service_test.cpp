#include "shop/shop_service.h"

#include <doctest/doctest.h>

#include <deque>

#include "shop/shop_store_contract.h"

using namespace tribune::shop;
using namespace tribune::test;
using namespace std::chrono_literals;
namespace base = tribune::base;

namespace {

/// What a service has asked its store for, and what the store is to do differently.
struct StoreWatch {
  std::atomic<int> catalogue_reads{0}, sales_reads{0}, forgettings{0};
  std::deque<std::size_t> forgotten;  // what the next calls of forget_keys() report
  std::atomic<bool> fails_catalogue{false};
  bool holds_sales = false;  // taken() does not answer, until the test calls `held`
  std::vector<std::function<void()>> held;
};

/// Passes the calls on to the real store.
class WatchedShopStore final : public ShopStore {
 public:
  WatchedShopStore(std::unique_ptr<ShopStore> store, StoreWatch& watch) : store_(std::move(store)), watch_(watch) {}

  void catalogue(Done<CatalogueView> done) override {
    ++watch_.catalogue_reads;
    if (watch_.fails_catalogue)
      return done(base::failure(base::ErrorKind::unavailable, base::Fault::tribune, "too many reads"));
    store_->catalogue(std::move(done));
  }
  void taken(Done<TakenPieces> done) override {
    ++watch_.sales_reads;
    if (!watch_.holds_sales) return store_->taken(std::move(done));
    const auto read = reported_by<TakenPieces>([&](auto on_read) { store_->taken(on_read); });
    watch_.held.emplace_back([done = std::move(done), read] { done(read); });
  }
  void change_catalogue(CatalogueChange change, Done<std::uint64_t> done) override {
    store_->change_catalogue(std::move(change), std::move(done));
  }
  void purchase(PurchaseOrder order, Done<Outcome<Purchase>> done) override {
    store_->purchase(std::move(order), std::move(done));
  }
  void settle(PaymentResult result, Done<Outcome<Purchase>> done) override {
    store_->settle(std::move(result), std::move(done));
  }
  void fail_overdue(base::WallTime now, Done<std::size_t> done) override { store_->fail_overdue(now, std::move(done)); }
  void refund(RefundOrder order, Done<Outcome<Purchase>> done) override {
    store_->refund(std::move(order), std::move(done));
  }
  void find_purchase(PurchaseId id, Done<std::optional<Purchase>> done) override {
    store_->find_purchase(id, std::move(done));
  }
  void purchases(AccountId account, std::string from, std::size_t limit, Done<PurchasePage> done) override {
    store_->purchases(account, std::move(from), limit, std::move(done));
  }
  void entitlements(AccountId account, base::WallTime now, Done<std::vector<Entitlement>> done) override {
    store_->entitlements(account, now, std::move(done));
  }
  void balances(AccountId account, Done<std::vector<Money>> done) override {
    store_->balances(account, std::move(done));
  }
  void adjust_balance(BalanceAdjustment adjustment, Done<Outcome<BalanceChange>> done) override {
    store_->adjust_balance(std::move(adjustment), std::move(done));
  }
  void create_vouchers(VoucherBatch batch, std::vector<std::string> hashes, Done<void> done) override {
    store_->create_vouchers(std::move(batch), std::move(hashes), std::move(done));
  }
  void voucher_batches(Done<std::vector<VoucherBatch>> done) override { store_->voucher_batches(std::move(done)); }
  void void_vouchers(std::uint64_t batch, Done<void> done) override { store_->void_vouchers(batch, std::move(done)); }
  void redeem(VoucherRedemption redemption, Done<Outcome<BalanceChange>> done) override {
    store_->redeem(std::move(redemption), std::move(done));
  }
  void journal(std::uint64_t from, std::size_t limit, Done<std::vector<JournalTransaction>> done) override {
    store_->journal(from, limit, std::move(done));
  }
  void forget_keys(base::WallTime now, Done<std::size_t> done) override {
    ++watch_.forgettings;
    if (watch_.forgotten.empty()) return store_->forget_keys(now, std::move(done));
    done(std::exchange(watch_.forgotten.front(), 0));
    watch_.forgotten.pop_front();
  }
  base::Status health() const override { return store_->health(); }

 private:
  const std::unique_ptr<ShopStore> store_;
  StoreWatch& watch_;
};

template <class T, class Call>
ShopAnswer<T> shop_answer_of(Call call) {
  std::promise<ShopAnswer<T>> promise;
  call([&](ShopAnswer<T> answer) { promise.set_value(std::move(answer)); });
  return promise.get_future().get();
}

/// A service with the account 1, whose balance is 1000 cents, and tea and a channel at 100 cents.
class ServedShop {
 public:
  ServedShop() {
    auto stores = EmbeddedShopEngine::open(folder_);
    tribune::accounts::Account account;
    account.id = 1;
    account.login = "viewer";
    account.state = tribune::accounts::AccountState::active;
    account.created = clock.wall_now();
    REQUIRE(reported_by<void>([&](auto done) { stores.accounts->create(account, done); }).has_value());
    ShopSettings settings;
    settings.payment_methods = {"balance", "till"};
    service = std::make_unique<ShopService>(settings, std::make_unique<WatchedShopStore>(std::move(stores.shop), watch),
                                            clock, silent_log(), metrics_);
    REQUIRE(service->start([this](auto view) { seen.push_back(std::move(view)); }).has_value());
    CatalogueChange change;
    change.products = {goods_of("tea", 100), channel_product("arena", 100)};
    REQUIRE(changed(change).has_value());
    REQUIRE(adjusted(euros(1'000), "funds").has_value());
  }

  ShopAnswer<Outcome<Purchase>> bought(std::string product, std::string method, std::string key) {
    PurchaseRequest request{1, std::move(product), "", 1, euros(100), std::move(method), std::move(key)};
    return shop_answer_of<Outcome<Purchase>>([&](auto done) { service->purchase(std::move(request), done); });
  }
  ShopAnswer<Purchase> settled(PurchaseId id, bool is_paid) {
    return shop_answer_of<Purchase>([&](auto done) { service->settle(id, is_paid, "", done); });
  }
  ShopAnswer<BalanceChange> adjusted(Money money, std::string key) {
    return shop_answer_of<BalanceChange>(
        [&](auto done) { service->adjust_balance(1, std::move(money), "desk", std::move(key), done); });
  }
  ShopAnswer<std::uint64_t> changed(CatalogueChange change) {
    return shop_answer_of<std::uint64_t>([&](auto done) { service->change_catalogue(std::move(change), done); });
  }
  PurchaseState state_of(PurchaseId id) {
    const auto found = shop_answer_of<Purchase>([&](auto done) { service->purchase_by_id(id, done); });
    REQUIRE(found.has_value());
    return found->state;
  }
  /// A second passes. Waits for what tick() has begun.
  void tick() {
    clock.advance(1s);
    service->tick();
    static_cast<void>(adjusted(euros(0), "wait " + std::to_string(++waits_)));  // behind what was to be written
    static_cast<void>(shop_answer_of<std::vector<Money>>([&](auto done) { service->balances(1, done); }));
  }
  void ticks(int count) {
    for (int i = 0; i < count; ++i) tick();
  }

 private:
  const Folder folder_;
  base::Metrics metrics_;
  int waits_ = 0;

 public:
  base::ManualClock clock{kOpening};
  StoreWatch watch;
  std::vector<std::shared_ptr<const CatalogueView>> seen;
  std::unique_ptr<ShopService> service;
};

std::int64_t tea_taken(const ServedShop& shop) { return shop.seen.back()->products.at(1).taken.at(0); }

PurchaseId id_of(const ShopAnswer<Outcome<Purchase>>& answer) {
  REQUIRE(answer.has_value());
  return std::get<Purchase>(answer->result).id;
}

}  // namespace

TEST_CASE("a pending purchase fails by a wall clock whose step has lasted") {
  ServedShop shop;
  const auto id = id_of(shop.bought("tea", "till", "a"));
  shop.ticks(2);
  shop.clock.step_wall(1h);
  shop.ticks(9);
  CHECK(shop.state_of(id) == PurchaseState::pending);
  SUBCASE("the step is taken back") {
    shop.clock.step_wall(-1h);
    shop.ticks(30);
    CHECK(shop.state_of(id) == PurchaseState::pending);
  }
  SUBCASE("the step stays") {
    shop.ticks(3);
    CHECK(shop.state_of(id) == PurchaseState::failed);
  }
  SUBCASE("the time for the payment passes") {
    shop.clock.step_wall(-1h);
    shop.ticks(2);
    shop.clock.advance(15min);
    shop.ticks(1);
    CHECK(shop.state_of(id) == PurchaseState::failed);
  }
}

TEST_CASE("a request that is repeated after a step of the wall clock is not carried out twice") {
  ServedShop shop;
  const auto id = id_of(shop.bought("tea", "balance", "a"));
  shop.ticks(12);
  shop.clock.step_wall(48h);
  CHECK(id_of(shop.bought("tea", "balance", "a")) == id);
  shop.ticks(9);
  shop.clock.step_wall(-48h);
  shop.ticks(12);
  CHECK(id_of(shop.bought("tea", "balance", "a")) == id);
  CHECK(shop.adjusted(euros(0), "b")->balance == euros(900));
}

TEST_CASE("keys are forgotten each ten seconds, and each second while there are more") {
  ServedShop shop;
  const auto during = [&](int seconds) {
    const int before = shop.watch.forgettings;
    shop.ticks(seconds);
    return shop.watch.forgettings - before;
  };
  CHECK(during(30) == 3);
  shop.watch.forgotten = {kMaxForgottenKeys, kMaxForgottenKeys, 7};
  CHECK(during(10) == 1);
  CHECK(during(1) == 1);
  CHECK(during(1) == 1);
  CHECK(during(9) == 0);
  CHECK(during(1) == 1);
}

TEST_CASE("after a sale the sales alone are read again, within a second") {
  ServedShop shop;
  shop.tick();
  const int catalogue_reads = shop.watch.catalogue_reads, sales_reads = shop.watch.sales_reads;
  REQUIRE(shop.bought("tea", "balance", "a").has_value());
  CHECK(tea_taken(shop) == 0);
  shop.tick();
  CHECK(tea_taken(shop) == 1);
  REQUIRE(shop.bought("tea", "till", "b").has_value());
  shop.tick();
  CHECK(tea_taken(shop) == 2);
  const auto published = shop.seen.size();
  shop.ticks(5);
  CHECK(shop.seen.size() == published);
  CHECK(shop.watch.catalogue_reads == catalogue_reads);
  CHECK(shop.watch.sales_reads == sales_reads + 2);
}

TEST_CASE("a change whose catalogue could not be read is published after the next tick") {
  ServedShop shop;
  CatalogueChange change;
  change.products = {goods_of("tea", 200)};
  shop.watch.fails_catalogue = true;
  const auto version = shop.changed(change);
  REQUIRE(version.has_value());
  CHECK(shop.seen.back()->version < *version);
  shop.watch.fails_catalogue = false;
  shop.ticks(2);
  CHECK(shop.seen.back()->version == *version);
}

TEST_CASE("the sales are read once at a time") {
  ServedShop shop;
  shop.watch.holds_sales = true;
  for (int i = 0; i < 5; ++i) {
    REQUIRE(shop.bought("tea", "balance", std::to_string(i)).has_value());
    shop.tick();
  }
  CHECK(shop.watch.sales_reads == 1);
  shop.watch.holds_sales = false;
  std::exchange(shop.watch.held, {}).at(0)();
  CHECK(tea_taken(shop) == 1);
  shop.tick();
  CHECK(shop.watch.sales_reads == 2);
  CHECK(tea_taken(shop) == 5);
}

TEST_CASE("sales of an earlier version do not replace a later catalogue") {
  ServedShop shop;
  shop.watch.holds_sales = true;
  REQUIRE(shop.bought("tea", "balance", "a").has_value());
  shop.tick();
  CatalogueChange change;
  change.products = {goods_of("aperitif", 100)};
  const auto version = shop.changed(change);
  REQUIRE(version.has_value());
  shop.watch.holds_sales = false;
  std::exchange(shop.watch.held, {}).at(0)();
  CHECK(shop.seen.back()->version == *version);
  CHECK(shop.seen.back()->products.size() == 3);
  shop.tick();
  CHECK(shop.seen.back()->version == *version);
  CHECK(shop.watch.sales_reads == 2);
}

TEST_CASE("a purchase is settled once, and an unknown one is refused") {
  ServedShop shop;
  const auto id = id_of(shop.bought("arena", "till", "a"));
  CHECK(shop.settled(id, true)->state == PurchaseState::paid);
  CHECK(shop.settled(id, true)->state == PurchaseState::paid);
  CHECK(shop.settled(id, false).error().order.why == ShopRefusal::wrong_state);
  CHECK(shop.settled(12'345, true).error().order.why == ShopRefusal::purchase_unknown);
}

TEST_CASE("a wrong amount of an operator is invalid, and a wrong cursor is told as one") {
  ServedShop shop;
  CHECK(shop.adjusted(euros(kMaxAmount + 1), "a").error().what == ShopFailure::invalid);
  CHECK(shop.adjusted({1, "euro"}, "a").error().what == ShopFailure::invalid);
  CHECK(shop_answer_of<IssuedVouchers>(
            [&](auto done) { shop.service->create_vouchers(euros(0), 1, kOpening + 1h, "", done); })
            .error()
            .what == ShopFailure::invalid);
  CHECK(shop_answer_of<PurchasePage>([&](auto done) { shop.service->purchases(1, "page 2", 10, done); }).error().what ==
        ShopFailure::wrong_cursor);
}
