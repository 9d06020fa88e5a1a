#pragma once
// What the contract tests of the shop's store share: the list of engines, a shop whose steps wait for their callbacks,
// and short forms of products and orders. An engine is a type with open(folder): stores whose records are in this
// folder, also those of former stores of the same folder.

#include <doctest/doctest.h>

#include <algorithm>
#include <future>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "shop/embedded_stores.h"
#include "support/folder.h"
#include "support/silent_log.h"

namespace tribune::test {

struct EmbeddedShopEngine {
  static shop::EmbeddedStores open(const Folder& folder) {
    auto opened = shop::open_embedded_stores(folder.path(), 256 << 20, silent_log());
    REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().text));
    return std::move(*opened);
  }
};

#define SHOP_ENGINES tribune::test::EmbeddedShopEngine

using EngineOpening = shop::EmbeddedStores (*)(const Folder&);
using Ledgers = std::map<std::pair<std::string, std::string>, std::int64_t>;

inline const base::WallTime kOpening{std::chrono::seconds(1'800'000'000)};

/// Calls a function of the store and waits for its callback.
template <class T, class Call>
base::Result<T> reported_by(Call call) {
  std::promise<base::Result<T>> promise;
  call([&](base::Result<T> result) { promise.set_value(std::move(result)); });
  return promise.get_future().get();
}

/// The state of the purchase, or why it was refused: "paid", "sold_out".
inline std::string told(const shop::Outcome<shop::Purchase>& outcome) {
  if (const auto* purchase = std::get_if<shop::Purchase>(&outcome.result))
    return std::string(to_string(purchase->state));
  return std::string(to_string(std::get<shop::RefusedOrder>(outcome.result).why));
}

/// The balance after the step, or why it was refused: "EUR 1500", "voucher_used".
inline std::string told(const shop::Outcome<shop::BalanceChange>& outcome) {
  if (const auto* change = std::get_if<shop::BalanceChange>(&outcome.result))
    return change->balance.currency + " " + std::to_string(change->balance.amount);
  return std::string(to_string(std::get<shop::RefusedOrder>(outcome.result).why));
}

template <class T>
T done_of(const shop::Outcome<T>& outcome) {
  REQUIRE_MESSAGE(std::holds_alternative<T>(outcome.result), told(outcome));
  return std::get<T>(outcome.result);
}

template <class T>
shop::RefusedOrder refusal_of(const shop::Outcome<T>& outcome) {
  REQUIRE_MESSAGE(std::holds_alternative<shop::RefusedOrder>(outcome.result), told(outcome));
  return std::get<shop::RefusedOrder>(outcome.result);
}

inline shop::Money euros(std::int64_t cents) { return {cents, "EUR"}; }

inline shop::Product goods_of(std::string id, std::int64_t cents, std::optional<std::int64_t> stock = {}) {
  shop::Product product;
  product.id = std::move(id);
  product.title.en = "Title of " + product.id;
  product.price = euros(cents);
  product.stock = stock;
  return product;
}

inline shop::Product channel_product(std::string channel, std::int64_t cents) {
  auto product = goods_of(channel, cents);
  product.kind = shop::ProductKind::channel;
  product.grant.channels = {std::move(channel)};
  return product;
}

/// A pass for all channels.
inline shop::Product pass_of(std::string id, std::int64_t cents, std::chrono::seconds valid_for) {
  auto product = goods_of(std::move(id), cents);
  product.kind = shop::ProductKind::pass;
  product.grant.all_channels = true;
  product.grant.valid_for = valid_for;
  return product;
}

/// Goods with the options "l" and "m", of each of which there is this stock.
inline shop::Product goods_with_options(std::string id, std::int64_t cents, std::int64_t stock) {
  auto product = goods_of(std::move(id), cents);
  product.options = {{"l", {"Large", ""}, stock}, {"m", {"Medium", ""}, stock}};
  return product;
}

inline shop::IdempotencyKey key_of(std::string key) {
  auto fingerprint = "request " + key;
  return {std::move(key), std::move(fingerprint)};
}

/// An order of one piece by account 1, paid from the balance. The key is that of its id.
inline shop::PurchaseOrder order_of(shop::PurchaseId id, const shop::Product& product, base::WallTime now = kOpening) {
  shop::PurchaseOrder order;
  order.id = id;
  order.account = 1;
  order.product = product.id;
  order.price = product.price;
  order.method = "balance";
  order.now = now;
  order.key = key_of("order " + std::to_string(id));
  return order;
}

/// As order_of(), but it is pending for ten minutes.
inline shop::PurchaseOrder till_order(shop::PurchaseId id, const shop::Product& product,
                                      base::WallTime now = kOpening) {
  auto order = order_of(id, product, now);
  order.method = "till";
  order.settlement = shop::Settlement::later;
  order.payment_time = std::chrono::minutes(10);
  return order;
}

inline shop::RefundOrder refund_of(shop::PurchaseId id, base::WallTime now = kOpening) {
  return {id, "the show is off", true, now, key_of("refund " + std::to_string(id))};
}

/// A shop in a folder of its own. Each function is one step of the store, and fails the test when the store reports an
/// error. Any thread, but for close() and reopen().
class OpenedShop {
 public:
  explicit OpenedShop(EngineOpening open) : open_(open), stores_(open(folder_)) {}

  const Folder& folder() const { return folder_; }
  void close() { stores_ = {}; }
  void reopen() {
    close();
    stores_ = open_(folder_);
  }
  shop::ShopStore& store() { return *stores_.shop; }

  void add_account(accounts::AccountId id, accounts::AccountState state = accounts::AccountState::active) {
    accounts::Account account;
    account.id = id;
    account.login = "viewer" + std::to_string(id);
    account.state = state;
    account.created = kOpening;
    value<void>([&](auto done) { stores_.accounts->create(account, done); });
  }
  void block(accounts::AccountId id) {
    const accounts::StateChange change{
        id, {accounts::AccountState::active}, accounts::AccountState::blocked, "", kOpening};
    value<std::vector<accounts::Revocation>>([&](auto done) { stores_.accounts->change_state(change, done); });
  }
  void erase_account(accounts::AccountId id) {
    value<std::vector<accounts::Revocation>>([&](auto done) { stores_.accounts->erase(id, 1, kOpening, done); });
  }
  /// Creates the account with a balance.
  void add_buyer(accounts::AccountId id, std::int64_t cents) {
    add_account(id);
    const auto key = key_of("funds of " + std::to_string(id));
    REQUIRE(told(adjust({id, euros(cents), "paid at the desk", kOpening, key})) == "EUR " + std::to_string(cents));
  }

  base::Result<std::uint64_t> try_change(shop::CatalogueChange change) {
    return reported_by<std::uint64_t>([&](auto done) { store().change_catalogue(std::move(change), done); });
  }
  std::uint64_t change(shop::CatalogueChange change) {
    const auto version = try_change(std::move(change));
    REQUIRE_MESSAGE(version.has_value(), (version ? "" : version.error().text));
    return *version;
  }
  std::uint64_t put(std::vector<shop::Product> products, base::WallTime now = kOpening) {
    shop::CatalogueChange changes;
    changes.products = std::move(products);
    changes.now = now;
    return change(std::move(changes));
  }
  shop::CatalogueView catalogue() {
    return value<shop::CatalogueView>([&](auto done) { store().catalogue(done); });
  }
  shop::TakenPieces taken_pieces() {
    return value<shop::TakenPieces>([&](auto done) { store().taken(done); });
  }
  /// Of one product, by its options.
  std::vector<std::int64_t> taken(const std::string& product) {
    for (const auto& listed : catalogue().products)
      if (listed.product.id == product) return listed.taken;
    return {};
  }

  shop::Outcome<shop::Purchase> buy(shop::PurchaseOrder order) {
    return value<shop::Outcome<shop::Purchase>>([&](auto done) { store().purchase(std::move(order), done); });
  }
  shop::Outcome<shop::Purchase> pay(shop::PurchaseId id, base::WallTime now = kOpening) {
    const shop::PaymentResult result{id, true, "", now};
    return value<shop::Outcome<shop::Purchase>>([&](auto done) { store().settle(result, done); });
  }
  shop::Outcome<shop::Purchase> fail(shop::PurchaseId id, base::WallTime now = kOpening) {
    const shop::PaymentResult result{id, false, "the card was declined", now};
    return value<shop::Outcome<shop::Purchase>>([&](auto done) { store().settle(result, done); });
  }
  shop::Outcome<shop::Purchase> refund(shop::RefundOrder order) {
    return value<shop::Outcome<shop::Purchase>>([&](auto done) { store().refund(std::move(order), done); });
  }
  std::size_t fail_overdue(base::WallTime now) {
    return value<std::size_t>([&](auto done) { store().fail_overdue(now, done); });
  }
  std::optional<shop::Purchase> find(shop::PurchaseId id) {
    return value<std::optional<shop::Purchase>>([&](auto done) { store().find_purchase(id, done); });
  }
  std::vector<shop::Entitlement> entitlements(accounts::AccountId id, base::WallTime now) {
    return value<std::vector<shop::Entitlement>>([&](auto done) { store().entitlements(id, now, done); });
  }
  /// The pages of an account's purchases, one after another.
  std::vector<std::vector<shop::Purchase>> pages(accounts::AccountId id, std::size_t limit) {
    std::vector<std::vector<shop::Purchase>> pages;
    std::string from;
    do {
      auto page = value<shop::PurchasePage>([&](auto done) { store().purchases(id, from, limit, done); });
      pages.push_back(std::move(page.purchases));
      from = page.next;
    } while (!from.empty());
    return pages;
  }

  /// By currency.
  std::vector<shop::Money> balances(accounts::AccountId id) {
    auto sums = value<std::vector<shop::Money>>([&](auto done) { store().balances(id, done); });
    std::sort(sums.begin(), sums.end(), [](const auto& a, const auto& b) { return a.currency < b.currency; });
    return sums;
  }
  shop::Outcome<shop::BalanceChange> adjust(shop::BalanceAdjustment adjustment) {
    return value<shop::Outcome<shop::BalanceChange>>(
        [&](auto done) { store().adjust_balance(std::move(adjustment), done); });
  }
  base::Status create_vouchers(shop::VoucherBatch batch, std::vector<std::string> hashes) {
    return reported_by<void>([&](auto done) { store().create_vouchers(std::move(batch), std::move(hashes), done); });
  }
  /// By id.
  std::vector<shop::VoucherBatch> voucher_batches() {
    auto batches = value<std::vector<shop::VoucherBatch>>([&](auto done) { store().voucher_batches(done); });
    std::sort(batches.begin(), batches.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    return batches;
  }
  base::Status void_vouchers(std::uint64_t batch) {
    return reported_by<void>([&](auto done) { store().void_vouchers(batch, done); });
  }
  shop::Outcome<shop::BalanceChange> redeem(shop::VoucherRedemption redemption) {
    return value<shop::Outcome<shop::BalanceChange>>([&](auto done) { store().redeem(std::move(redemption), done); });
  }
  std::size_t forget_keys(base::WallTime now) {
    return value<std::size_t>([&](auto done) { store().forget_keys(now, done); });
  }

  std::vector<shop::JournalTransaction> journal(std::uint64_t from, std::size_t limit) {
    return value<std::vector<shop::JournalTransaction>>([&](auto done) { store().journal(from, limit, done); });
  }
  /// Reads and checks the whole journal, and compares the ledgers of these accounts with their balances. Returns the
  /// ledgers that are not zero.
  Ledgers check_books(const std::vector<accounts::AccountId>& accounts) {
    shop::BooksCheck check;
    for (auto part = journal(1, 100); !part.empty(); part = journal(check.transactions() + 1, 100))
      for (const auto& transaction : part) {
        const auto added = check.add(transaction);
        REQUIRE_MESSAGE(added.has_value(), (added ? "" : added.error().text));
      }
    Ledgers ledgers, viewers, balance_sums;
    for (const auto& [ledger, sum] : check.ledgers())
      if (sum != 0) ledgers.insert({ledger, sum});
    for (const auto& [ledger, sum] : ledgers)
      if (ledger.first.starts_with("viewer:")) viewers.insert({ledger, sum});
    for (const auto id : accounts)
      for (const auto& sum : balances(id))
        if (sum.amount != 0) balance_sums[{shop::viewer_ledger(id), sum.currency}] = sum.amount;
    CHECK(viewers == balance_sums);
    return ledgers;
  }

 private:
  template <class T, class Call>
  static T value(Call call) {
    auto result = reported_by<T>(call);
    REQUIRE_MESSAGE(result.has_value(), (result ? "" : result.error().text));
    if constexpr (!std::is_void_v<T>) return std::move(*result);
  }

  const Folder folder_;
  const EngineOpening open_;
  shop::EmbeddedStores stores_;
};

/// Without the order of the postings.
inline Ledgers postings_of(const shop::JournalTransaction& transaction) {
  Ledgers sums;
  for (const auto& posting : transaction.postings)
    sums[{posting.ledger, posting.money.currency}] += posting.money.amount;
  return sums;
}

inline std::vector<shop::PurchaseId> ids_of(const std::vector<shop::Entitlement>& entitlements) {
  std::vector<shop::PurchaseId> ids;
  for (const auto& entitlement : entitlements) ids.push_back(entitlement.purchase);
  return ids;
}

}  // namespace tribune::test
