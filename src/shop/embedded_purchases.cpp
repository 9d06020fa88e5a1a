#include "shop/embedded_purchases.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "accounts/embedded_account_store.h"
#include "base/encoding.h"
#include "shop/embedded_books.h"
#include "shop/embedded_catalogue.h"
#include "shop/embedded_entitlements.h"
#include "shop/payment_method.h"
#include "store/json_record.h"

namespace tribune::shop {
namespace {

using store::milliseconds_of;
using store::ReadTransaction;
using store::WriteTransaction;

constexpr std::size_t kMaxOverdue = 500;  // purchases in one transaction: others wait for the writing thread
constexpr std::size_t kTimeKeyCharacters = 16, kCursorCharacters = 33;
constexpr std::string_view kOverdueReason = "the payment was not made in time";

std::string purchase_key(const Purchase& purchase) {
  const auto descending =
      std::numeric_limits<std::uint64_t>::max() - static_cast<std::uint64_t>(milliseconds_of(purchase.created));
  return fmt::format("{}/{}/{}", accounts::to_text(purchase.account), base::to_hex64(descending),
                     accounts::to_text(purchase.id));
}

std::string pending_key(const Purchase& purchase) {
  return fmt::format("{}/{}", time_key(purchase.deadline), accounts::to_text(purchase.id));
}

std::string pending_key_of_account(const Purchase& purchase) {
  return fmt::format("{}/{}", accounts::to_text(purchase.account), accounts::to_text(purchase.id));
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

/// The purchase whose id an index has.
base::Result<Purchase> indexed_purchase_in(ReadTransaction& t, PurchaseId id) {
  auto found = find_purchase_in(t, id);
  if (!found) return tl::unexpected(found.error());
  if (!*found) return unreadable_record(kPurchasePlaces, accounts::to_text(id));
  return std::move(**found);
}

base::Result<std::vector<Purchase>> pending_in(ReadTransaction& t, AccountId account) {
  std::vector<PurchaseId> ids;
  const auto prefix = accounts::to_text(account) + "/";
  t.scan(kPendingOfAccount, prefix, [&](std::string_view key, std::string_view) {
    if (!key.starts_with(prefix)) return false;
    ids.push_back(accounts::parse_id(key.substr(prefix.size())).value_or(0));
    return true;
  });
  std::vector<Purchase> pending;
  for (const auto id : ids) {
    auto purchase = indexed_purchase_in(t, id);
    if (!purchase) return tl::unexpected(purchase.error());
    pending.push_back(std::move(*purchase));
  }
  return pending;
}

/// What the purchase gives as long as no other one of its product is paid.
Entitlement entitlement_of(const Purchase& purchase, base::WallTime now) {
  const auto& grant = purchase.grant;
  const auto [from, until] = validity_of(grant, now, now);
  return {purchase.id, grant.all_channels, grant.channels, from, until, purchase.product};
}

/// Why the account may not have the grant of this product too, by what it has and what it would have once these pending
/// purchases are paid.
std::optional<ShopRefusal> refusal_to_grant(ReadTransaction& t, AccountId account, std::string_view product,
                                            const Grant& grant, const std::vector<Purchase>& pending,
                                            base::WallTime now) {
  if (!opens_channels(grant)) return std::nullopt;
  auto owned = entitlements_in(t, account, now);
  auto count = owned.size();
  for (const auto& purchase : pending) {
    if (!opens_channels(purchase.grant)) continue;
    ++count;
    const bool has_ended = purchase.grant.valid_until && *purchase.grant.valid_until <= now;
    if (!purchase.grant.valid_for && !has_ended) owned.push_back(entitlement_of(purchase, now));
  }
  std::erase_if(owned, [&](const auto& entitlement) { return entitlement.product != product; });
  if (is_already_owned(grant, owned, now)) return ShopRefusal::already_owned;
  if (count >= kMaxEntitlements) return ShopRefusal::limit_reached;
  return std::nullopt;
}

/// The product; or why the order is refused, before stock and money are looked at.
Decided<Product> orderable_product(ReadTransaction& t, const PurchaseOrder& order,
                                   const std::vector<Purchase>& pending) {
  const auto account = accounts::account_in(t, order.account);
  if (!account || account->state != accounts::AccountState::active) return refused_order(ShopRefusal::account_unknown);
  auto product = product_in(t, order.product);
  if (!product || !is_sold_at(*product, order.now)) return refused_order(ShopRefusal::product_unknown);
  const auto* option = option_of(*product, order.option);
  if ((option == nullptr) != product->options.empty() || (option == nullptr && !order.option.empty()))
    return refused_order(ShopRefusal::option_unknown);
  const auto most = product->kind == ProductKind::goods ? kMaxQuantity : 1;
  if (order.quantity < 1 || order.quantity > most) return refused_order(ShopRefusal::quantity);
  if (!is_accepted_price(t, *product, order.price, order.now))
    return refused_order(ShopRefusal::price_changed, product->price);
  if (!times(order.price, order.quantity)) return refused_order(ShopRefusal::quantity);
  if (const auto why = refusal_to_grant(t, order.account, product->id, product->grant, pending, order.now))
    return refused_order(*why);
  return std::move(*product);
}

/// Why there are not enough pieces.
std::optional<RefusedOrder> refusal_for_stock(ReadTransaction& t, const PurchaseOrder& order, const Product& product) {
  const auto* option = option_of(product, order.option);
  const auto stock = option != nullptr ? option->stock : product.stock;
  if (!stock) return std::nullopt;
  RefusedOrder refused;
  refused.why = ShopRefusal::sold_out;
  refused.left = std::max<std::int64_t>(0, *stock - taken_in(t, product.id, order.option));
  if (refused.left >= order.quantity) return std::nullopt;
  return refused;
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
base::Status pay(WriteTransaction& t, Purchase& purchase, const Party& from, base::WallTime now) {
  purchase.state = PurchaseState::paid;
  purchase.decided = now;
  if (purchase.total.amount > 0) {
    auto booked = book(
        t, {JournalKind::purchase, accounts::to_text(purchase.id), from, {std::string(kSales)}, purchase.total, now});
    if (!booked) return booked;
  }
  auto& grant = purchase.grant;
  if (opens_channels(grant)) {
    auto owned = entitlements_in(t, purchase.account, now);
    std::erase_if(owned, [&](const auto& entitlement) { return entitlement.product != purchase.product; });
    const auto uncovered = first_uncovered(std::move(owned), now).value_or(now);
    std::tie(grant.valid_from, grant.valid_until) = validity_of(grant, now, uncovered);
    put_entitlement(t, purchase, now);
  }
  put_purchase(t, purchase);
  return {};
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

void put_pending(WriteTransaction& t, const Purchase& purchase) {
  t.put(kPending, pending_key(purchase), "");
  t.put(kPendingOfAccount, pending_key_of_account(purchase), "");
  put_purchase(t, purchase);
}

void erase_pending(WriteTransaction& t, const Purchase& purchase) {
  t.erase(kPending, pending_key(purchase));
  t.erase(kPendingOfAccount, pending_key_of_account(purchase));
}

/// The ledger from which the money of a pending purchase comes.
std::string ledger_of(const Purchase& purchase) {
  const auto* method = payment_method(purchase.method);
  return std::string(method == nullptr || method->ledger.empty() ? kTill : method->ledger);
}

/// What the balance lacks for the purchase.
base::Result<Money> missing_for(ReadTransaction& t, const Purchase& purchase) {
  auto missing = balance_in(t, purchase.account, purchase.total.currency);
  if (missing) missing->amount = purchase.total.amount - missing->amount;
  return missing;
}

}  // namespace

Decided<Purchase> purchase_in(WriteTransaction& t, const PurchaseOrder& order) {
  const bool is_paid_at_once = order.settlement == Settlement::from_balance;
  const auto pending = is_paid_at_once ? base::Result<std::vector<Purchase>>() : pending_in(t, order.account);
  if (!pending) return tl::unexpected(pending.error());
  const auto product = orderable_product(t, order, *pending);
  if (!product) return tl::unexpected(product.error());
  if (const auto sold_out = refusal_for_stock(t, order, *product)) return tl::unexpected(*sold_out);
  auto purchase = purchase_of(order, *product);
  if (!is_paid_at_once && pending->size() >= kMaxPendingPurchases) return refused_order(ShopRefusal::limit_reached);
  if (is_paid_at_once) {
    const auto missing = missing_for(t, purchase);
    if (!missing) return tl::unexpected(missing.error());
    if (missing->amount > 0) return refused_order(ShopRefusal::balance_insufficient, *missing);
  }
  change_taken(t, purchase.product, purchase.option, purchase.quantity);
  t.put(kPurchasePlaces, accounts::to_text(purchase.id), purchase_key(purchase));
  if (!is_paid_at_once) {
    put_pending(t, purchase);
    return purchase;
  }
  if (auto paid = pay(t, purchase, viewer_party(purchase.account), order.now); !paid)
    return tl::unexpected(paid.error());
  return purchase;
}

base::Result<Outcome<Purchase>> settle_in(WriteTransaction& t, const PaymentResult& result) {
  auto found = find_purchase_in(t, result.purchase);
  if (!found) return tl::unexpected(found.error());
  if (!*found) return Outcome<Purchase>{refused_order(ShopRefusal::purchase_unknown).value()};
  auto& purchase = **found;
  if (purchase.state == (result.is_paid ? PurchaseState::paid : PurchaseState::failed))
    return Outcome<Purchase>{std::move(purchase), true};
  if (purchase.state != PurchaseState::pending) return Outcome<Purchase>{refusal_in_state(purchase)};
  if (!result.is_paid) {
    erase_pending(t, purchase);
    fail(t, purchase, result.reason, result.now);
    return Outcome<Purchase>{std::move(purchase)};
  }
  if (const auto why = refusal_to_grant(t, purchase.account, purchase.product, purchase.grant, {}, result.now))
    return Outcome<Purchase>{refused_order(*why).value()};
  erase_pending(t, purchase);
  if (auto paid = pay(t, purchase, {ledger_of(purchase)}, result.now); !paid) return tl::unexpected(paid.error());
  return Outcome<Purchase>{std::move(purchase)};
}

base::Result<std::size_t> fail_overdue_in(WriteTransaction& t, base::WallTime now) {
  std::vector<PurchaseId> overdue;
  const auto last = time_key(now);
  t.scan(kPending, "", [&](std::string_view key, std::string_view) {
    if (key.substr(0, kTimeKeyCharacters) > last || overdue.size() == kMaxOverdue) return false;
    overdue.push_back(accounts::parse_id(key.substr(kTimeKeyCharacters + 1)).value_or(0));
    return true;
  });
  for (const auto id : overdue) {
    auto purchase = indexed_purchase_in(t, id);
    if (!purchase) return tl::unexpected(purchase.error());
    erase_pending(t, *purchase);
    if (purchase->state == PurchaseState::pending) fail(t, *purchase, kOverdueReason, now);
  }
  return overdue.size();
}

Decided<Purchase> refund_in(WriteTransaction& t, const RefundOrder& order) {
  auto found = find_purchase_in(t, order.purchase);
  if (!found) return tl::unexpected(found.error());
  if (!*found) return refused_order(ShopRefusal::purchase_unknown);
  auto& purchase = **found;
  if (purchase.state != PurchaseState::paid) return tl::unexpected(refusal_in_state(purchase));
  const auto balance = balance_in(t, purchase.account, purchase.total.currency);
  if (!balance) return tl::unexpected(balance.error());
  if (balance->amount + purchase.total.amount > kMaxAmount) return refused_order(ShopRefusal::balance_limit);
  purchase.state = PurchaseState::refunded;
  purchase.refunded = order.now;
  purchase.reason = order.reason;
  if (purchase.total.amount > 0) {
    const auto booked = book(t, {JournalKind::refund,
                                 accounts::to_text(purchase.id),
                                 {std::string(kSales)},
                                 viewer_party(purchase.account),
                                 purchase.total,
                                 order.now});
    if (!booked) return tl::unexpected(booked.error());
  }
  if (order.restocks) change_taken(t, purchase.product, purchase.option, -purchase.quantity);
  erase_entitlement(t, purchase);
  put_purchase(t, purchase);
  return std::move(purchase);
}

base::Result<std::optional<Purchase>> find_purchase_in(ReadTransaction& t, PurchaseId id) {
  const auto place = t.get(kPurchasePlaces, accounts::to_text(id));
  if (!place) return std::nullopt;
  const auto record = t.get(kPurchases, *place);
  auto purchase = record ? purchase_of_record(*record) : std::nullopt;
  if (!purchase) return unreadable_record(kPurchases, *place);
  return purchase;
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

}  // namespace tribune::shop
