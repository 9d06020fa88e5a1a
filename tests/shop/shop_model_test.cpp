// Random steps against the engine and against a model of it.
#include "shop/shop_model.h"

#include <doctest/doctest.h>

#include <deque>
#include <functional>
#include <random>
#include <set>

#include "shop/shop_store_contract.h"

using namespace tribune::shop;
using namespace tribune::test;
using namespace std::chrono_literals;
namespace base = tribune::base;

namespace {

constexpr int kSeeds = 8, kSteps = 2'000;
constexpr AccountId kAccounts = 4;  // the next one does not exist

/// A step that was given to the store: compares what the store reports with what the model does.
struct RunningStep {
  int number = 0;
  std::string name;
  std::function<std::string()> difference;  // waits; empty when there is none
};

std::string summary_of(const Money& money) { return money.currency + " " + std::to_string(money.amount); }

std::string summary_of(base::WallTime time) { return std::to_string((time - kOpening) / 1ms); }

std::string summary_of(const RefusedOrder& refused) {
  return std::string(to_string(refused.why)) + ", price " + summary_of(refused.price) + ", left " +
         std::to_string(refused.left) + ", state " + std::string(to_string(refused.state));
}

std::string summary_of(const BalanceChange& change) {
  return "added " + summary_of(change.added) + ", balance " + summary_of(change.balance);
}

std::string summary_of(const Purchase& purchase) {
  auto text = std::to_string(purchase.id) + " " + std::string(to_string(purchase.state)) + " by " +
              std::to_string(purchase.account) + ", " + std::to_string(purchase.quantity) + " of " + purchase.product +
              "/" + purchase.option + ", total " + summary_of(purchase.total) + ", decided " +
              summary_of(purchase.decided) + ", refunded " + summary_of(purchase.refunded);
  if (purchase.grant.valid_from) text += ", from " + summary_of(*purchase.grant.valid_from);
  if (purchase.grant.valid_until) text += ", until " + summary_of(*purchase.grant.valid_until);
  return text;
}

/// Whether they differ in what the interface fixes: not in the deadline of what was never pending, and not in the
/// words for a missed deadline.
bool differ(Purchase a, const Purchase& b) {
  if (b.reason.empty()) a.reason.clear();
  if (b.state != PurchaseState::pending) a.deadline = b.deadline;
  return a != b;
}

template <class T>
bool differ(const T& a, const T& b) {
  return a != b;
}

template <class T>
std::string difference_of(const Outcome<T>& got, const Outcome<T>& expected) {
  const auto text = [](const Outcome<T>& outcome) {
    return std::visit([](const auto& result) { return summary_of(result); }, outcome.result) +
           (outcome.is_repeated ? " (repeated)" : "");
  };
  bool is_same = got.is_repeated == expected.is_repeated && got.result.index() == expected.result.index();
  if (is_same && got.result.index() == 0) is_same = !differ(std::get<0>(got.result), std::get<0>(expected.result));
  if (is_same && got.result.index() == 1) is_same = std::get<1>(got.result) == std::get<1>(expected.result);
  return is_same ? "" : "the store reports " + text(got) + "; the model " + text(expected);
}

std::string difference_of(std::size_t got, std::size_t expected) {
  return got == expected ? "" : "the store reports " + std::to_string(got) + "; the model " + std::to_string(expected);
}

std::vector<Product> offered_products() {
  auto bundle = goods_of("bundle", 900);
  bundle.kind = ProductKind::bundle;
  bundle.grant.channels = {"arena", "stage"};
  auto final_day = channel_product("final", 250);
  final_day.grant.valid_until = kOpening + 24h + 1ms;
  auto foreign = goods_of("foreign", 120, 40);
  foreign.price.currency = "GBP";
  return {channel_product("arena", 500),
          bundle,
          final_day,
          pass_of("pass", 70, 600s),
          foreign,
          goods_of("flag", 0, 50),
          goods_of("tea", 30),
          goods_with_options("scarf", 110, 8)};
}

/// Random steps of one seed. Times of the steps are even milliseconds and ends of validity odd ones, so that no step
/// falls on the instant of an end.
class RandomSteps {
 public:
  /// Adds to `seen` what the model told of each step.
  RandomSteps(OpenedShop& shop, unsigned seed, std::set<std::string>& seen) : shop_(shop), random_(seed), seen_(seen) {}

  void set_up() {
    for (AccountId id = 1; id <= kAccounts; ++id) {
      shop_.add_account(id);
      model_.accounts.insert(id);
    }
    CatalogueChange change;
    change.products = offered_products();
    shop_.change(change);
    model_.change(change);
    for (std::uint64_t batch = 1; batch <= 6; ++batch) add_batch(batch);
  }

  void run() {
    while (step_ < kSteps) {
      for (int batch = below(160); batch >= 0; --batch) start_step();
      finish_steps();
      if (one_in(5)) {
        shop_.reopen();
        compare_all();
      }
    }
    compare_all();
  }

 private:
  int below(int end) { return static_cast<int>(random_() % static_cast<unsigned>(end)); }
  bool one_in(int count) { return below(count) == 0; }
  AccountId some_account() { return one_in(25) ? kAccounts + 1 : 1 + static_cast<AccountId>(below(kAccounts)); }
  IdempotencyKey next_key() { return key_of("key " + std::to_string(++last_key_)); }

  /// Some purchase, now and then an unknown one.
  PurchaseId some_purchase() {
    if (last_id_ == 0 || one_in(30)) return 1'000'000;
    return last_id_ - static_cast<PurchaseId>(below(static_cast<int>(std::min<PurchaseId>(last_id_, 60))));
  }

  void add_batch(std::uint64_t id) {
    VoucherBatch batch;
    batch.id = id;
    batch.money = {static_cast<std::int64_t>(id) * 100, id == 3 ? "GBP" : "EUR"};
    batch.created = kOpening;
    batch.expires = kOpening + (id == 2 ? 30min : 24h) + 1ms;
    batch.count = 10;
    std::vector<std::string> hashes;
    for (int i = 0; i < 10; ++i) hashes.push_back("hash " + std::to_string(id) + "." + std::to_string(i));
    for (const auto& hash : hashes) model_.vouchers[hash] = {id, false};
    REQUIRE(shop_.create_vouchers(batch, hashes).has_value());
    model_.batches[id] = batch;
  }

  void start_step() {
    ++step_;
    if (one_in(8)) now_ += 2ms * (1 + below(90'000));
    const auto kind = below(100);
    if (kind < 40) return buy(some_order());
    if (kind < 55) return settle();
    if (kind < 59) return fail_overdue();
    if (kind < 69) return refund({some_purchase(), "a refund", one_in(2), now_, next_key()});
    if (kind < 76) return redeem({some_account(), some_voucher(), now_, next_key()});
    if (kind < 84) return adjust(some_adjustment());
    if (kind < 90) return change_catalogue();
    if (kind < 91) return void_batch();
    repeat();
  }

  /// Gives a step to the store, without waiting for its callback.
  template <class T, class Call>
  void start(std::string name, T expected, Call call) {
    if constexpr (!std::is_same_v<T, std::size_t>) seen_.insert(told(expected));
    auto promise = std::make_shared<std::promise<base::Result<T>>>();
    auto reported = std::make_shared<std::future<base::Result<T>>>(promise->get_future());
    call([promise](base::Result<T> result) { promise->set_value(std::move(result)); });
    running_.push_back({step_, std::move(name), [reported, expected = std::move(expected)] {
                          const auto got = reported->get();
                          return got ? difference_of(*got, expected) : got.error().text;
                        }});
  }

  void finish_steps() {
    for (const auto& step : running_) {
      const auto difference = step.difference();
      REQUIRE_MESSAGE(difference.empty(), "step " << step.number << ", " << step.name << ": " << difference);
    }
    running_.clear();
  }

  PurchaseOrder some_order() {
    static const std::vector<Product> offered = offered_products();
    const auto& product = offered[static_cast<std::size_t>(below(static_cast<int>(offered.size())))];
    PurchaseOrder order = order_of(++last_id_, product, now_);
    order.account = some_account();
    order.key = next_key();
    if (one_in(40)) order.product = "unknown";
    if (!product.options.empty() || one_in(40)) order.option = one_in(15) ? "xl" : one_in(2) ? "l" : "m";
    if (product.kind == ProductKind::goods || one_in(20))
      order.quantity = one_in(30) ? 1'001 : below(20) ? 1 : below(4);
    if (const auto present = model_.products.find(product.id); present != model_.products.end())
      order.price = present->second.price;
    if (const auto former = model_.former_prices.find(product.id); one_in(4) && former != model_.former_prices.end())
      order.price = former->second.price;
    if (one_in(40)) order.price.amount += 1;
    if (one_in(2) && product.id != "flag") {
      order.settlement = Settlement::later;
      order.method = "till";
      order.payment_time = 1ms + 2ms * below(300'000);
    }
    return order;
  }

  BalanceAdjustment some_adjustment() {
    Money money{below(2'000) - 400, one_in(4) ? "GBP" : "EUR"};
    if (money.amount == 0 || one_in(40)) money.amount = kMaxAmount;
    return {some_account(), money, "desk", now_, next_key()};
  }

  /// A voucher, now and then an unknown one.
  std::string some_voucher() {
    if (one_in(20)) return "hash of nothing";
    auto chosen = model_.vouchers.begin();
    std::advance(chosen, below(static_cast<int>(model_.vouchers.size())));
    return chosen->first;
  }

  void buy(const PurchaseOrder& order) {
    remember(
        [this, order](IdempotencyKey key) {
          auto again = order;
          again.id = ++last_id_;
          again.now = now_;
          again.key = std::move(key);
          buy_once(again);
        },
        order.key);
    buy_once(order);
  }
  void buy_once(const PurchaseOrder& order) {
    start("purchase", model_.purchase(order), [&](auto done) { shop_.store().purchase(order, done); });
  }

  void settle() {
    const bool is_paid = !one_in(4);
    const PaymentResult result{some_purchase(), is_paid, is_paid ? "" : "declined", now_};
    start("settle", model_.settle(result), [&](auto done) { shop_.store().settle(result, done); });
  }

  void fail_overdue() {
    start("fail_overdue", model_.fail_overdue(now_), [&](auto done) { shop_.store().fail_overdue(now_, done); });
  }

  void refund(const RefundOrder& order) {
    remember(
        [this, order](IdempotencyKey key) {
          refund_once({order.purchase, order.reason, order.restocks, now_, std::move(key)});
        },
        order.key);
    refund_once(order);
  }
  void refund_once(const RefundOrder& order) {
    start("refund", model_.refund(order), [&](auto done) { shop_.store().refund(order, done); });
  }

  void redeem(const VoucherRedemption& redemption) {
    remember(
        [this, redemption](IdempotencyKey key) {
          redeem_once({redemption.account, redemption.code_hash, now_, std::move(key)});
        },
        redemption.key);
    redeem_once(redemption);
  }
  void redeem_once(const VoucherRedemption& redemption) {
    start("redeem", model_.redeem(redemption), [&](auto done) { shop_.store().redeem(redemption, done); });
  }

  void adjust(const BalanceAdjustment& adjustment) {
    remember(
        [this, adjustment](IdempotencyKey key) {
          adjust_once({adjustment.account, adjustment.money, adjustment.reason, now_, std::move(key)});
        },
        adjustment.key);
    adjust_once(adjustment);
  }
  void adjust_once(const BalanceAdjustment& adjustment) {
    start("adjust_balance", model_.adjust(adjustment),
          [&](auto done) { shop_.store().adjust_balance(adjustment, done); });
  }

  /// Puts one product with another price, stock or state of sale, or erases it.
  void change_catalogue() {
    static const std::vector<Product> offered = offered_products();
    auto product = offered[static_cast<std::size_t>(below(static_cast<int>(offered.size())))];
    if (const auto present = model_.products.find(product.id); present != model_.products.end())
      product = present->second;
    CatalogueChange change;
    change.now = now_;
    change.price_validity = 1ms + 2ms * below(200'000);
    product.is_on_sale = !one_in(6);
    if (one_in(2) && product.price.amount != 0) product.price.amount = 20 + below(600);
    if (product.stock) *product.stock += below(30) - 5;
    if (product.stock) product.stock = std::max<std::int64_t>(0, *product.stock);
    for (auto& option : product.options) option.stock = std::max<std::int64_t>(0, *option.stock + below(12) - 2);
    change.products = {product};
    if (one_in(6)) {
      change.products.clear();
      change.erased_products = {product.id};
    }
    model_.change(change);
    start_without_outcome("change_catalogue", [&](auto done) {
      shop_.store().change_catalogue(change,
                                     [done](base::Result<std::uint64_t> version) { done(version.has_value()); });
    });
  }

  void void_batch() {
    const auto id = 1 + static_cast<std::uint64_t>(below(6));
    if (id > 4) model_.batches.at(id).is_void = true;
    if (id > 4)
      start_without_outcome("void_vouchers", [&](auto done) {
        shop_.store().void_vouchers(id, [done](base::Status status) { done(status.has_value()); });
      });
  }

  template <class Call>
  void start_without_outcome(std::string name, Call call) {
    start<std::size_t>(std::move(name), 1, [&](auto done) { call([done](bool is_done) { done(is_done ? 1 : 0); }); });
  }

  /// Keeps a request, so that repeat() can send it again.
  void remember(std::function<void(IdempotencyKey)> send, const IdempotencyKey& key) {
    sent_.push_back({std::move(send), key});
    if (sent_.size() > 80) sent_.pop_front();
  }
  void repeat() {
    if (sent_.empty()) return;
    auto [send, key] = sent_[static_cast<std::size_t>(below(static_cast<int>(sent_.size())))];
    if (one_in(8)) key.fingerprint += ", changed";
    send(key);
  }

  void compare_all() {
    CAPTURE(step_);
    compare_money();
    compare_catalogue();
    for (AccountId id = 1; id <= kAccounts + 1; ++id) {
      CHECK(shop_.entitlements(id, now_) == model_.entitlements(id, now_));
      std::size_t count = 0, expected = 0;
      for (const auto& page : shop_.pages(id, 100))
        for (const auto& purchase : page) {
          ++count;
          const auto found = model_.purchases.find(purchase.id);
          REQUIRE(found != model_.purchases.end());
          if (differ(purchase, found->second)) CHECK(summary_of(purchase) == summary_of(found->second));
        }
      for (const auto& [purchase_id, purchase] : model_.purchases) expected += purchase.account == id;
      REQUIRE(count == expected);
    }
  }

  void compare_money() {
    std::vector<AccountId> accounts;
    for (AccountId id = 1; id <= kAccounts + 1; ++id) {
      accounts.push_back(id);
      std::vector<Money> expected;
      for (const auto& [place, sum] : model_.balances)
        if (place.first == id) expected.push_back({sum, place.second});
      CHECK(shop_.balances(id) == expected);
    }
    Ledgers expected;
    for (const auto& [ledger, sum] : model_.ledgers)
      if (sum != 0) expected.insert({ledger, sum});
    CHECK(shop_.check_books(accounts) == expected);
    CHECK(shop_.journal(model_.transactions, 10).size() == (model_.transactions == 0 ? 0 : 1));
    std::vector<VoucherBatch> batches;
    for (const auto& [id, batch] : model_.batches) batches.push_back(batch);
    CHECK(shop_.voucher_batches() == batches);
  }

  void compare_catalogue() {
    const auto view = shop_.catalogue();
    const auto& listed = view.products;
    const auto pieces = shop_.taken_pieces();
    CHECK(pieces.version == view.version);
    const auto updated = with_taken(view, pieces).products;
    for (std::size_t i = 0; i < listed.size(); ++i) CHECK(updated[i].taken == listed[i].taken);
    REQUIRE(listed.size() == model_.products.size());
    for (const auto& [product, taken] : listed) {
      CHECK(product == model_.products.at(product.id));
      std::vector<std::int64_t> expected;
      for (const auto& option : product.options) expected.push_back(model_.taken[{product.id, option.id}]);
      if (product.options.empty()) expected.push_back(model_.taken[{product.id, ""}]);
      CHECK(taken == expected);
    }
  }

  struct SentRequest {
    std::function<void(IdempotencyKey)> send;
    IdempotencyKey key;
  };

  OpenedShop& shop_;
  ShopModel model_;
  std::mt19937 random_;
  std::set<std::string>& seen_;
  base::WallTime now_ = kOpening;
  int step_ = 0, last_key_ = 0;
  PurchaseId last_id_ = 0;
  std::vector<RunningStep> running_;
  std::deque<SentRequest> sent_;
};

}  // namespace

TEST_CASE_TEMPLATE("random steps end as in a model of the shop, also after the store was opened again", Engine,
                   SHOP_ENGINES) {
  std::set<std::string> seen;
  for (unsigned seed = 1; seed <= kSeeds; ++seed) {
    CAPTURE(seed);
    OpenedShop shop(Engine::open);
    RandomSteps steps(shop, seed, seen);
    steps.set_up();
    steps.run();
  }
  // The steps are of use only when they lead to each outcome.
  for (const auto why :
       {"pending", "paid", "failed", "refunded", "product_unknown", "option_unknown", "quantity", "price_changed",
        "sold_out", "already_owned", "limit_reached", "balance_insufficient", "balance_limit", "account_unknown",
        "key_reused", "purchase_unknown", "wrong_state", "voucher_unknown", "voucher_used"})
    CHECK_MESSAGE(seen.contains(why), std::string(why));
}
