#include "shop/embedded_purchases.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "accounts/embedded_account_store.h"
#include "base/encoding.h"
#include "shop/embedded_books.h"
#include "shop/embedded_catalogue.h"
#include "store/json_record.h"

namespace tribune::shop {
namespace {

using store::milliseconds_of;
using store::ReadTransaction;
using store::WriteTransaction;

constexpr std::size_t kMaxOverdue = 500;  // purchases in one transaction: others wait for the writing thread
constexpr std::size_t kTimeKeyCharacters = 16, kCursorCharacters = 33;
constexpr std::string_view kOverdueReason = "the payment was not made in time";

std::string time_key(base::WallTime time) { return base::to_hex64(static_cast<std::uint64_t>(milliseconds_of(time))); }

std::string purchase_key(const Purchase& purchase) {
  const auto descending =
      std::numeric_limits<std::uint64_t>::max() - static_cast<std::uint64_t>(milliseconds_of(purchase.created));
  return fmt::format("{}/{}/{}", accounts::to_text(purchase.account), base::to_hex64(descending),
                     accounts::to_text(purchase.id));
}

std::string pending_key(const Purchase& purchase) {
  return fmt::format("{}/{}", time_key(purchase.deadline), accounts::to_text(purchase.id));
}

std::string entitlement_key(const Purchase& purchase) {
  return fmt::format("{}/{}/{}", accounts::to_text(purchase.account), time_key(purchase.created),
                     accounts::to_text(purchase.id));
}

void put_purchase(WriteTransaction& t, const Purchase& purchase) {
  t.put(kPurchases, purchase_key(purchase), to_record(purchase));
}

bool is_sold_at(const Product& product, base::WallTime now) {
  return product.is_on_sale && (!product.grant.valid_until || *product.grant.valid_until > now);
}

const ProductOption* option_of(const Product& product, std::string_view id) {
  const auto found =
      std::find_if(product.options.begin(), product.options.end(), [&](const auto& option) { return option.id == id; });
  return found == product.options.end() ? nullptr : &*found;
}

/// Until when the account has the product because of former purchases; nullopt: it has not.
struct Owned {
  bool without_end = false;
  std::optional<base::WallTime> until;
};

Owned owned_in(ReadTransaction& t, AccountId account, std::string_view product, base::WallTime now) {
  Owned owned;
  for (const auto& entitlement : entitlements_in(t, account, now)) {
    if (entitlement.product != product) continue;
    if (!entitlement.until) owned.without_end = true;
    if (entitlement.until) owned.until = std::max(owned.until.value_or(*entitlement.until), *entitlement.until);
  }
  return owned;
}

bool is_owned(const Grant& grant, const Owned& owned) {
  if (owned.without_end) return true;
  return !grant.valid_for && grant.valid_until && owned.until && *owned.until >= *grant.valid_until;
}

/// The product and what is left of it; or why the order is refused, before money is looked at.
Decided<Product> orderable_product(ReadTransaction& t, const PurchaseOrder& order) {
  const auto account = accounts::account_in(t, order.account);
  if (!account || account->state != accounts::AccountState::active) return refused_order(ShopRefusal::account_unknown);
  auto product = product_in(t, order.product);
  if (!product || !is_sold_at(*product, order.now)) return refused_order(ShopRefusal::product_unknown);
  const auto* option = option_of(*product, order.option);
  if ((option == nullptr) != product->options.empty() || (option == nullptr && !order.option.empty()))
    return refused_order(ShopRefusal::option_unknown);
  const auto most = product->kind == ProductKind::goods ? kMaxQuantity : 1;
  if (order.quantity < 1 || order.quantity > most) return refused_order(ShopRefusal::quantity);
  if (!is_accepted_price(t, *product, order.price, order.now)) {
    auto refused = refused_order(ShopRefusal::price_changed);
    refused.value().price = product->price;
    return refused;
  }
  if (!times(order.price, order.quantity)) return refused_order(ShopRefusal::quantity);
  if (is_owned(product->grant, owned_in(t, order.account, product->id, order.now)))
    return refused_order(ShopRefusal::already_owned);
  const auto stock = option != nullptr ? option->stock : product->stock;
  const auto left = stock ? std::max<std::int64_t>(0, *stock - taken_in(t, product->id, order.option)) : kMaxQuantity;
  if (left < order.quantity) {
    auto refused = refused_order(ShopRefusal::sold_out);
    refused.value().left = left;
    return refused;
  }
  return std::move(*product);
}

Purchase purchase_of(const PurchaseOrder& order, const Product& product) {
  Purchase purchase;
  purchase.id = order.id;
  purchase.account = order.account;
  purchase.method = order.method;
  purchase.product = product.id;
  purchase.kind = product.kind;
  purchase.title = product.title;
  purchase.option = order.option;
  if (const auto* option = option_of(product, order.option)) purchase.option_title = option->title;
  purchase.quantity = order.quantity;
  purchase.price = order.price;
  purchase.total = times(order.price, order.quantity).value_or(order.price);
  purchase.grant = product.grant;
  purchase.created = order.now;
  purchase.deadline = order.now + order.payment_time;
  return purchase;
}

/// Makes the purchase a paid one. `from` is what pays.
void pay(WriteTransaction& t, Purchase& purchase, const Party& from, base::WallTime now) {
  purchase.state = PurchaseState::paid;
  purchase.decided = now;
  if (purchase.total.amount > 0)
    book(t, {JournalKind::purchase, accounts::to_text(purchase.id), from, {std::string(kSales)}, purchase.total, now});
  auto& grant = purchase.grant;
  if (grant.all_channels || !grant.channels.empty()) {
    const auto owned = owned_in(t, purchase.account, purchase.product, now);
    std::tie(grant.valid_from, grant.valid_until) = validity_of(grant, now, owned.until);
    t.put(kEntitlements, entitlement_key(purchase),
          to_record(Entitlement{purchase.id, grant.all_channels, grant.channels, *grant.valid_from, grant.valid_until,
                                purchase.product}));
  }
  put_purchase(t, purchase);
}

void fail(WriteTransaction& t, Purchase& purchase, std::string_view reason, base::WallTime now) {
  purchase.state = PurchaseState::failed;
  purchase.decided = now;
  purchase.reason = std::string(reason);
  change_taken(t, purchase.product, purchase.option, -purchase.quantity);
  put_purchase(t, purchase);
}

RefusedOrder refusal_in_state(const Purchase& purchase) {
  RefusedOrder refused;
  refused.why = ShopRefusal::wrong_state;
  refused.state = purchase.state;
  return refused;
}

}  // namespace

Decided<Purchase> purchase_in(WriteTransaction& t, const PurchaseOrder& order) {
  const auto product = orderable_product(t, order);
  if (!product) return tl::unexpected(product.error());
  auto purchase = purchase_of(order, *product);
  const bool is_paid_at_once = order.settlement == Settlement::from_balance;
  if (is_paid_at_once) {
    auto missing = purchase.total;
    missing.amount -= balance_in(t, order.account, missing.currency).amount;
    if (missing.amount > 0) {
      auto refused = refused_order(ShopRefusal::balance_insufficient);
      refused.value().price = missing;
      return refused;
    }
  }
  change_taken(t, purchase.product, purchase.option, purchase.quantity);
  t.put(kPurchasePlaces, accounts::to_text(purchase.id), purchase_key(purchase));
  if (is_paid_at_once) {
    pay(t, purchase, viewer_party(purchase.account), order.now);
    return purchase;
  }
  t.put(kPending, pending_key(purchase), "");
  put_purchase(t, purchase);
  return purchase;
}

Outcome<Purchase> settle_in(WriteTransaction& t, const PaymentResult& result) {
  auto purchase = find_purchase_in(t, result.purchase);
  if (!purchase) return {refused_order(ShopRefusal::purchase_unknown).value(), false};
  if (purchase->state == (result.is_paid ? PurchaseState::paid : PurchaseState::failed)) return {*purchase, true};
  if (purchase->state != PurchaseState::pending) return {refusal_in_state(*purchase), false};
  t.erase(kPending, pending_key(*purchase));
  if (result.is_paid)
    pay(t, *purchase, {result.ledger}, result.now);
  else
    fail(t, *purchase, result.reason, result.now);
  return {*purchase, false};
}

std::size_t fail_overdue_in(WriteTransaction& t, base::WallTime now) {
  std::vector<std::string> overdue;
  const auto last = time_key(now);
  t.scan(kPending, "", [&](std::string_view key, std::string_view) {
    if (key.substr(0, kTimeKeyCharacters) > last || overdue.size() == kMaxOverdue) return false;
    overdue.emplace_back(key);
    return true;
  });
  for (const auto& key : overdue) {
    t.erase(kPending, key);
    auto purchase = find_purchase_in(t, accounts::parse_id(key.substr(kTimeKeyCharacters + 1)).value_or(0));
    if (purchase && purchase->state == PurchaseState::pending) fail(t, *purchase, kOverdueReason, now);
  }
  return overdue.size();
}

Decided<Purchase> refund_in(WriteTransaction& t, const RefundOrder& order) {
  auto purchase = find_purchase_in(t, order.purchase);
  if (!purchase) return refused_order(ShopRefusal::purchase_unknown);
  if (purchase->state != PurchaseState::paid) return tl::unexpected(refusal_in_state(*purchase));
  const auto balance = balance_in(t, purchase->account, purchase->total.currency).amount;
  if (balance + purchase->total.amount > kMaxAmount) return refused_order(ShopRefusal::balance_limit);
  purchase->state = PurchaseState::refunded;
  purchase->refunded = order.now;
  purchase->reason = order.reason;
  if (purchase->total.amount > 0)
    book(t, {JournalKind::refund,
             accounts::to_text(purchase->id),
             {std::string(kSales)},
             viewer_party(purchase->account),
             purchase->total,
             order.now});
  if (order.restocks) change_taken(t, purchase->product, purchase->option, -purchase->quantity);
  t.erase(kEntitlements, entitlement_key(*purchase));
  put_purchase(t, *purchase);
  return std::move(*purchase);
}

std::optional<Purchase> find_purchase_in(ReadTransaction& t, PurchaseId id) {
  const auto place = t.get(kPurchasePlaces, accounts::to_text(id));
  const auto record = place ? t.get(kPurchases, *place) : std::nullopt;
  return record ? purchase_of_record(*record) : std::nullopt;
}

PurchasePage purchases_in(ReadTransaction& t, AccountId account, std::string_view from, std::size_t limit) {
  PurchasePage page;
  const auto prefix = accounts::to_text(account) + "/";
  t.scan(kPurchases, prefix + std::string(from), [&](std::string_view key, std::string_view record) {
    if (!key.starts_with(prefix)) return false;
    if (page.purchases.size() == limit) {
      page.next = std::string(key.substr(prefix.size()));
      return false;
    }
    if (auto purchase = purchase_of_record(record)) page.purchases.push_back(std::move(*purchase));
    return true;
  });
  return page;
}

bool is_purchase_cursor(std::string_view text) {
  return text.empty() || (text.size() == kCursorCharacters && base::from_hex64(text.substr(0, kTimeKeyCharacters)) &&
                          text[kTimeKeyCharacters] == '/' && base::from_hex64(text.substr(kTimeKeyCharacters + 1)));
}

std::vector<Entitlement> entitlements_in(ReadTransaction& t, AccountId account, base::WallTime now) {
  std::vector<Entitlement> found;
  const auto prefix = accounts::to_text(account) + "/";
  t.scan(kEntitlements, prefix, [&](std::string_view key, std::string_view record) {
    if (!key.starts_with(prefix)) return false;
    auto entitlement = entitlement_of_record(record);
    if (entitlement && (!entitlement->until || *entitlement->until > now)) found.push_back(std::move(*entitlement));
    return true;
  });
  return found;
}

}  // namespace tribune::shop
