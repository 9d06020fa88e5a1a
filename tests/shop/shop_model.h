#pragma once
// A model of the shop's store in plain maps, written from shop/shop_store.h and not from an engine: what each step
// reports, and what is there afterwards. Owned by one thread.

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "shop/shop_store.h"

namespace tribune::test {

class ShopModel {
 public:
  using Bought = shop::Outcome<shop::Purchase>;
  using Changed = shop::Outcome<shop::BalanceChange>;
  using OptionPlace = std::pair<std::string, std::string>;   // product and option
  using SumPlace = std::pair<shop::AccountId, std::string>;  // account and currency

  struct FormerPrice {
    shop::Money price;
    base::WallTime until{};
  };
  struct Voucher {
    std::uint64_t batch = 0;
    bool is_used = false;
  };

  std::set<shop::AccountId> accounts;
  std::map<std::string, shop::Product> products;
  std::map<std::string, FormerPrice> former_prices;
  std::map<OptionPlace, std::int64_t> taken;
  std::map<shop::PurchaseId, shop::Purchase> purchases;
  std::map<SumPlace, std::int64_t> balances;
  std::map<std::uint64_t, shop::VoucherBatch> batches;
  std::map<std::string, Voucher> vouchers;
  std::map<std::pair<std::string, std::string>, std::int64_t> ledgers;
  std::uint64_t transactions = 0;

  void change(const shop::CatalogueChange& change) {
    for (const auto& id : change.erased_products) {
      products.erase(id);
      former_prices.erase(id);
    }
    for (const auto& product : change.products) {
      const auto before = products.find(product.id);
      if (before != products.end() && before->second.price != product.price)
        former_prices[product.id] = {before->second.price, change.now + change.price_validity};
      products[product.id] = product;
    }
  }

  Bought purchase(const shop::PurchaseOrder& order) {
    return keyed(bought_, order.account, order.key, [&] { return purchase_now(order); });
  }

  Bought settle(const shop::PaymentResult& result) {
    const auto found = purchases.find(result.purchase);
    if (found == purchases.end()) return {refused(shop::ShopRefusal::purchase_unknown)};
    auto& purchase = found->second;
    if (purchase.state == (result.is_paid ? shop::PurchaseState::paid : shop::PurchaseState::failed))
      return {purchase, true};
    if (purchase.state != shop::PurchaseState::pending) return {wrong_state(purchase)};
    if (!result.is_paid) {
      fail(purchase, result.reason, result.now);
      return {purchase};
    }
    if (const auto why =
            refusal_to_own(purchase.account, purchase.product, purchase.grant, result.now, Counting::what_is_paid))
      return {refused(*why)};
    pay(purchase, std::string(shop::kTill), result.now);
    return {purchase};
  }

  std::size_t fail_overdue(base::WallTime now) {
    std::size_t count = 0;
    for (auto& [id, purchase] : purchases)
      if (purchase.state == shop::PurchaseState::pending && purchase.deadline < now) {
        fail(purchase, "", now);
        ++count;
      }
    return count;
  }

  Bought refund(const shop::RefundOrder& order) {
    return keyed(bought_, 0, order.key, [&] { return refund_now(order); });
  }

  Changed adjust(const shop::BalanceAdjustment& adjustment) {
    return keyed(changed_, 0, adjustment.key, [&]() -> Changed {
      const auto sum = balances.find({adjustment.account, adjustment.money.currency});
      const bool is_paid_out = adjustment.money.amount < 0 && sum != balances.end() && sum->second > 0;
      if (!accounts.contains(adjustment.account) && !is_paid_out) return {refused(shop::ShopRefusal::account_unknown)};
      return moved(adjustment.account, adjustment.money, std::string(shop::kOperator));
    });
  }

  Changed redeem(const shop::VoucherRedemption& redemption) {
    return keyed(changed_, redemption.account, redemption.key, [&] { return redeem_now(redemption); });
  }

  /// As ShopStore::entitlements().
  std::vector<shop::Entitlement> entitlements(shop::AccountId account, base::WallTime now) const {
    std::vector<shop::Entitlement> found;
    for (const auto* purchase : paid_by(account)) {
      const auto& grant = purchase->grant;
      if (!grants(*purchase) || (grant.valid_until && *grant.valid_until <= now)) continue;
      found.push_back(
          {purchase->id, grant.all_channels, grant.channels, *grant.valid_from, grant.valid_until, purchase->product});
    }
    return found;
  }

 private:
  template <class T>
  struct Stored {
    std::string fingerprint;
    T outcome;
  };
  template <class T>
  using Keys = std::map<std::pair<shop::AccountId, std::string>, Stored<T>>;

  static shop::RefusedOrder refused(shop::ShopRefusal why) { return {why, {}, 0, {}}; }
  static shop::RefusedOrder wrong_state(const shop::Purchase& purchase) {
    return {shop::ShopRefusal::wrong_state, {}, 0, purchase.state};
  }
  static bool grants(const shop::Purchase& purchase) {
    return purchase.grant.all_channels || !purchase.grant.channels.empty();
  }

  /// Carries out the step, or reports what was stored. Keys are unique over both kinds of outcomes.
  template <class T, class Step>
  T keyed(Keys<T>& keys, shop::AccountId owner, const shop::IdempotencyKey& key, Step step) {
    const std::pair place{owner, key.key};
    if (const auto used = fingerprints_.find(place); used != fingerprints_.end()) {
      if (used->second != key.fingerprint) return {refused(shop::ShopRefusal::key_reused)};
      auto again = keys.at(place).outcome;
      again.is_repeated = true;
      return again;
    }
    T outcome = step();
    if (std::holds_alternative<shop::RefusedOrder>(outcome.result)) return outcome;
    fingerprints_[place] = key.fingerprint;
    keys[place] = {key.fingerprint, outcome};
    return outcome;
  }

  /// Why an order is refused before money is looked at.
  std::optional<shop::RefusedOrder> refusal(const shop::PurchaseOrder& order) const {
    using Why = shop::ShopRefusal;
    if (!accounts.contains(order.account)) return refused(Why::account_unknown);
    const auto found = products.find(order.product);
    if (found == products.end() || !found->second.is_on_sale) return refused(Why::product_unknown);
    const auto& product = found->second;
    auto stock = product.stock;
    const auto option = std::find_if(product.options.begin(), product.options.end(),
                                     [&](const auto& candidate) { return candidate.id == order.option; });
    if (product.options.empty() ? !order.option.empty() : option == product.options.end())
      return refused(Why::option_unknown);
    if (!product.options.empty()) stock = option->stock;
    const auto most = product.kind == shop::ProductKind::goods ? shop::kMaxQuantity : 1;
    if (order.quantity < 1 || order.quantity > most) return refused(Why::quantity);
    const auto former = former_prices.find(product.id);
    const bool is_former =
        former != former_prices.end() && former->second.price == order.price && order.now < former->second.until;
    if (order.price != product.price && !is_former) return shop::RefusedOrder{Why::price_changed, product.price, 0, {}};
    if (const auto why = refusal_to_own(
            order.account, product.id, product.grant, order.now,
            order.settlement == shop::Settlement::later ? Counting::pending_too : Counting::what_is_paid))
      return refused(*why);
    if (!stock) return std::nullopt;
    const auto count = taken.find({order.product, order.option});
    const auto left = std::max<std::int64_t>(0, *stock - (count == taken.end() ? 0 : count->second));
    if (left < order.quantity) return shop::RefusedOrder{Why::sold_out, {}, left, {}};
    return std::nullopt;
  }

  enum class Counting { what_is_paid, pending_too };

  /// Why the account cannot have this product too.
  std::optional<shop::ShopRefusal> refusal_to_own(shop::AccountId account, const std::string& product,
                                                  const shop::Grant& grant, base::WallTime now,
                                                  Counting counting) const {
    if (!grant.all_channels && grant.channels.empty()) return std::nullopt;
    auto all = entitlements(account, now);
    std::size_t renewals = 0;
    for (const auto* pending : pending_of(account)) {
      if (counting != Counting::pending_too || !grants(*pending)) continue;
      const auto& ordered = pending->grant;
      if (ordered.valid_for || (ordered.valid_until && *ordered.valid_until <= now))
        ++renewals;
      else
        all.push_back(
            {pending->id, false, {}, ordered.valid_from.value_or(now), ordered.valid_until, pending->product});
    }
    for (const auto& owned : all)
      if (owned.product == product &&
          (!owned.until || (!grant.valid_for && grant.valid_until <= owned.until && grant.valid_until.has_value())))
        return shop::ShopRefusal::already_owned;
    if (grant.valid_for && end_of_coverage(all, product, now) + *grant.valid_for > now + shop::kMaxValidity)
      return shop::ShopRefusal::already_owned;
    if (all.size() + renewals >= shop::kMaxEntitlements) return shop::ShopRefusal::limit_reached;
    return std::nullopt;
  }

  /// Goes from each entitlement to one that is in effect at its end.
  static base::WallTime end_of_coverage(const std::vector<shop::Entitlement>& all, const std::string& product,
                                        base::WallTime now) {
    for (bool has_moved = true; has_moved;) {
      has_moved = false;
      for (const auto& owned : all)
        if (owned.product == product && owned.from <= now && owned.until && *owned.until > now) {
          now = *owned.until;
          has_moved = true;
        }
    }
    return now;
  }

  std::vector<const shop::Purchase*> pending_of(shop::AccountId account) const {
    std::vector<const shop::Purchase*> found;
    for (const auto& [id, purchase] : purchases)
      if (purchase.account == account && purchase.state == shop::PurchaseState::pending) found.push_back(&purchase);
    return found;
  }

  Bought purchase_now(const shop::PurchaseOrder& order) {
    if (const auto why = refusal(order)) return {*why};
    const auto& product = products.at(order.product);
    shop::Purchase purchase;
    purchase.id = order.id;
    purchase.account = order.account;
    purchase.method = order.method;
    purchase.product = order.product;
    purchase.kind = product.kind;
    purchase.title = product.title;
    purchase.option = order.option;
    for (const auto& option : product.options)
      if (option.id == order.option) purchase.option_title = option.title;
    purchase.quantity = order.quantity;
    purchase.price = order.price;
    purchase.total = {order.price.amount * order.quantity, order.price.currency};
    purchase.grant = product.grant;
    purchase.created = order.now;
    purchase.deadline = order.now + order.payment_time;
    if (order.settlement == shop::Settlement::later && pending_of(order.account).size() == shop::kMaxPendingPurchases)
      return {refused(shop::ShopRefusal::limit_reached)};
    if (order.settlement == shop::Settlement::from_balance) {
      const auto sum = balances.find({order.account, purchase.total.currency});
      const auto missing = purchase.total.amount - (sum == balances.end() ? 0 : sum->second);
      if (missing > 0)
        return {shop::RefusedOrder{shop::ShopRefusal::balance_insufficient, {missing, order.price.currency}, 0, {}}};
    }
    taken[{order.product, order.option}] += order.quantity;
    auto& stored = purchases[order.id] = purchase;
    if (order.settlement == shop::Settlement::from_balance) pay(stored, shop::viewer_ledger(order.account), order.now);
    return {stored};
  }

  void pay(shop::Purchase& purchase, const std::string& ledger, base::WallTime now) {
    if (ledger != shop::kTill && purchase.total.amount != 0)
      balances[{purchase.account, purchase.total.currency}] -= purchase.total.amount;
    post(ledger, std::string(shop::kSales), purchase.total);
    const auto uncovered = end_of_coverage(entitlements(purchase.account, now), purchase.product, now);
    purchase.state = shop::PurchaseState::paid;
    purchase.decided = now;
    auto& grant = purchase.grant;
    if (!grants(purchase)) return;
    if (!grant.valid_for) {
      grant.valid_from = grant.valid_from.value_or(now);
      return;
    }
    grant.valid_from = uncovered;
    grant.valid_until = *grant.valid_from + *grant.valid_for;
  }

  void fail(shop::Purchase& purchase, std::string reason, base::WallTime now) {
    purchase.state = shop::PurchaseState::failed;
    purchase.decided = now;
    purchase.reason = std::move(reason);
    taken[{purchase.product, purchase.option}] -= purchase.quantity;
  }

  Bought refund_now(const shop::RefundOrder& order) {
    const auto found = purchases.find(order.purchase);
    if (found == purchases.end()) return {refused(shop::ShopRefusal::purchase_unknown)};
    auto& purchase = found->second;
    if (purchase.state != shop::PurchaseState::paid) return {wrong_state(purchase)};
    if (purchase.total.amount != 0) {
      const auto paid_back = moved(purchase.account, purchase.total, std::string(shop::kSales));
      if (const auto* why = std::get_if<shop::RefusedOrder>(&paid_back.result)) return {*why};
    }
    purchase.state = shop::PurchaseState::refunded;
    purchase.refunded = order.now;
    purchase.reason = order.reason;
    if (order.restocks) taken[{purchase.product, purchase.option}] -= purchase.quantity;
    return {purchase};
  }

  Changed redeem_now(const shop::VoucherRedemption& redemption) {
    if (!accounts.contains(redemption.account)) return {refused(shop::ShopRefusal::account_unknown)};
    const auto found = vouchers.find(redemption.code_hash);
    if (found == vouchers.end()) return {refused(shop::ShopRefusal::voucher_unknown)};
    auto& batch = batches.at(found->second.batch);
    if (found->second.is_used) return {refused(shop::ShopRefusal::voucher_used)};
    if (batch.is_void || batch.expires < redemption.now) return {refused(shop::ShopRefusal::voucher_unknown)};
    auto outcome = moved(redemption.account, batch.money, std::string(shop::kVouchers));
    if (std::holds_alternative<shop::RefusedOrder>(outcome.result)) return outcome;
    found->second.is_used = true;
    ++batch.redeemed;
    return outcome;
  }

  /// Moves money into a balance, or with an amount below zero out of it.
  Changed moved(shop::AccountId account, const shop::Money& money, const std::string& from) {
    const auto found = balances.find({account, money.currency});
    const auto sum = (found == balances.end() ? 0 : found->second) + money.amount;
    if (sum < 0) return {shop::RefusedOrder{shop::ShopRefusal::balance_insufficient, {-sum, money.currency}, 0, {}}};
    if (sum > shop::kMaxAmount) return {refused(shop::ShopRefusal::balance_limit)};
    balances[{account, money.currency}] = sum;
    post(from, shop::viewer_ledger(account), money);
    return {shop::BalanceChange{money, {sum, money.currency}}};
  }

  void post(const std::string& from, const std::string& to, const shop::Money& money) {
    if (money.amount == 0) return;
    ++transactions;
    ledgers[{from, money.currency}] -= money.amount;
    ledgers[{to, money.currency}] += money.amount;
  }

  /// In the order of their purchase.
  std::vector<const shop::Purchase*> paid_by(shop::AccountId account) const {
    std::vector<const shop::Purchase*> found;
    for (const auto& [id, purchase] : purchases)
      if (purchase.account == account && purchase.state == shop::PurchaseState::paid) found.push_back(&purchase);
    std::sort(found.begin(), found.end(),
              [](const auto* a, const auto* b) { return std::pair(a->created, a->id) < std::pair(b->created, b->id); });
    return found;
  }

  std::map<std::pair<shop::AccountId, std::string>, std::string> fingerprints_;
  Keys<Bought> bought_;
  Keys<Changed> changed_;
};

}  // namespace tribune::test
