#pragma once
// The store of the shop as an interface of whole transactions: each function is one step that is carried out as a whole
// or not at all, and is on disk before its callback reports success. The tests
// tests/shop/shop_store_*_contract_test.cpp say what each engine must do.
//
// Errors that every function may report: unavailable (the engine is overloaded or unreachable), too_large (the store is
// full), io (the disk is full or broken); all with the fault `tribune`, and nothing is changed. A request that the
// rules of the shop refuse is no error: its outcome says why.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "shop/books.h"
#include "shop/catalogue.h"
#include "shop/purchase.h"

namespace tribune::shop {

/// Called once, on a thread of the engine, possibly before the function that received it returns.
template <class T>
using Done = std::function<void(base::Result<T>)>;

/// Why an order is refused. Nothing was changed.
enum class ShopRefusal {
  product_unknown,  // or not on sale
  option_unknown,   // the product has options and the order names none of them, or the reverse
  quantity,         // other kinds than goods are sold one at a time; or the total is beyond kMaxAmount
  price_changed,    // `price` is the present one
  sold_out,         // `left` pieces are left, fewer than ordered
  /// is_already_owned() by what the account has; for an order that is paid later also by what the account would have
  /// once its pending purchases without valid_for are paid.
  already_owned,
  limit_reached,         // the account has kMaxEntitlements, or kMaxPendingPurchases for an order that is paid later
  balance_insufficient,  // `price` is what is missing
  balance_limit,         // the balance would be more than kMaxAmount
  account_unknown,       // it was deleted, or never existed; or it is not active, for purchases and vouchers
  key_reused,            // the idempotency key was used for another request
  purchase_unknown,
  wrong_state,      // the purchase is not pending, or not paid; `state` is its own
  voucher_unknown,  // wrong, expired or void
  voucher_used,     // also when it has expired or is void since
};

std::string_view to_string(ShopRefusal);

struct RefusedOrder {
  ShopRefusal why = ShopRefusal::product_unknown;
  Money price{};
  std::int64_t left = 0;
  PurchaseState state = PurchaseState::pending;
  bool operator==(const RefusedOrder&) const = default;
};

/// A request that an app may repeat without being carried out twice. What a request has done is kept for at least
/// kKeyLifetime and reported again for the same key and fingerprint. A refusal has changed nothing and is not kept: a
/// repeated request is decided again.
struct IdempotencyKey {
  std::string key;          // chosen by the client
  std::string fingerprint;  // of the request: equal only for the same one
};

inline constexpr std::chrono::hours kKeyLifetime{24};
inline constexpr std::size_t kMaxForgottenKeys = 2'000;  // by one forget_keys()

template <class T>
struct Outcome {
  std::variant<T, RefusedOrder> result;
  bool is_repeated = false;  // it was carried out before, for the same key; never of a refusal
};

/// How a method of payment settles a purchase.
enum class Settlement {
  from_balance,  // within the transaction of the purchase, from the account's prepaid balance
  later,         // the purchase is pending until settle()
};

struct PurchaseOrder {
  PurchaseId id = 0;
  AccountId account = 0;
  std::string product;
  std::string option;  // empty: none
  std::int64_t quantity = 1;
  Money price;  // of one piece, as the client saw it
  std::string method;
  Settlement settlement = Settlement::from_balance;
  std::chrono::milliseconds payment_time{0};  // until the deadline of a pending purchase
  base::WallTime now{};
  IdempotencyKey key;
};

/// The end of a pending purchase.
struct PaymentResult {
  PurchaseId purchase = 0;
  bool is_paid = false;  // the money came from the ledger of the purchase's payment method
  std::string reason;    // of a failure
  base::WallTime now{};
};

struct RefundOrder {
  PurchaseId purchase = 0;
  std::string reason;
  bool restocks = true;  // the goods are on sale again
  base::WallTime now{};
  IdempotencyKey key;  // of all operators
};

/// A payment by an operator into the balance of an account, or with an amount below zero out of it. The balance of a
/// deleted account stays and can be paid out.
struct BalanceAdjustment {
  AccountId account = 0;
  Money money;
  std::string reason;
  base::WallTime now{};
  IdempotencyKey key;  // of all operators
};

struct VoucherBatch {
  std::uint64_t id = 0;
  Money money;  // of each voucher
  base::WallTime created{};
  base::WallTime expires{};
  std::string note;  // an operator's
  std::int64_t count = 0, redeemed = 0;
  bool is_void = false;
  bool operator==(const VoucherBatch&) const = default;
};

struct VoucherRedemption {
  AccountId account = 0;
  std::string code_hash;
  base::WallTime now{};
  IdempotencyKey key;
};

/// The balance of an account after a step, in the currency of the step.
struct BalanceChange {
  Money added;
  Money balance;
  bool operator==(const BalanceChange&) const = default;
};

/// A change of the catalogue that is made as a whole. Every product and note in it is valid by wrong_product() and
/// wrong_channel_note().
struct CatalogueChange {
  bool replaces_all = false;    // what is not put is erased
  bool keeps_channels = false;  // with replaces_all: notes about channels that are not put stay
  std::vector<Product> products;
  std::vector<ChannelNote> channels;
  std::vector<std::string> erased_products, erased_channels;  // ids; unknown and impossible ones are ignored
  std::optional<std::uint64_t> if_version;                    // only when the catalogue has this version
  std::chrono::milliseconds price_validity{0};                // for which a replaced price is still accepted
  base::WallTime now{};
};

/// A product and its sales.
struct ListedProduct {
  Product product;
  /// Pieces that are sold or reserved, for each of its options in their order; one element without options.
  std::vector<std::int64_t> taken;
};

struct CatalogueView {
  std::uint64_t version = 0;  // grows with each change of the catalogue
  std::vector<ChannelNote> channels;
  std::vector<ListedProduct> products;
};

/// The sales of all products, without the products.
struct TakenPieces {
  std::uint64_t version = 0;  // of the catalogue at the same moment
  /// Pieces that are sold or reserved, by product and option; the option is empty for a product without options. Absent
  /// where none ever was.
  std::map<std::pair<std::string, std::string>, std::int64_t> by_option;
};

/// The catalogue with other sales.
CatalogueView with_taken(const CatalogueView&, const TakenPieces&);

struct PurchasePage {
  std::vector<Purchase> purchases;  // the newest first
  std::string next;                 // where the next page begins; empty at the end
};

/// Any thread.
class ShopStore {
 public:
  virtual ~ShopStore() = default;

  virtual void catalogue(Done<CatalogueView>) = 0;
  /// Much cheaper than catalogue(): for what has changed in a catalogue that is known.
  virtual void taken(Done<TakenPieces>) = 0;
  /// Reports the new version. A product that is put again keeps its sales. Errors: conflict for another version than
  /// if_version; too_large for more than kMaxProducts or kMaxChannelNotes.
  virtual void change_catalogue(CatalogueChange, Done<std::uint64_t>) = 0;

  /// Buys: checks the order, reserves the goods, and pays from the balance or leaves the purchase pending. The price
  /// is accepted when it is the present one, or the one before it within its validity.
  virtual void purchase(PurchaseOrder, Done<Outcome<Purchase>>) = 0;
  /// Ends a pending purchase as paid or failed. One that has this result already is reported as it is. A payment is
  /// refused as already_owned when the account has bought the product otherwise meanwhile, and at kMaxEntitlements: the
  /// purchase stays pending, and an operator gives the money back and fails it. The account may be blocked or deleted.
  virtual void settle(PaymentResult, Done<Outcome<Purchase>>) = 0;
  /// Fails the pending purchases whose deadline has passed, some of them if they are many. Reports their number.
  virtual void fail_overdue(base::WallTime now, Done<std::size_t>) = 0;
  /// Gives the money of a paid purchase back to the account's balance, whatever method paid it, and ends its grant.
  virtual void refund(RefundOrder, Done<Outcome<Purchase>>) = 0;

  virtual void find_purchase(PurchaseId, Done<std::optional<Purchase>>) = 0;
  /// Of one account; `from` is empty or `next` of the page before. Errors: invalid_input for another text.
  virtual void purchases(AccountId, std::string from, std::size_t limit, Done<PurchasePage>) = 0;
  /// Those that are in effect at `now` or later, in the order of their purchase. Those that have ended a day ago are
  /// erased.
  virtual void entitlements(AccountId, base::WallTime now, Done<std::vector<Entitlement>>) = 0;

  /// Of one account: a sum for each currency that it ever had.
  virtual void balances(AccountId, Done<std::vector<Money>>) = 0;
  /// Errors: invalid_input, with the fault `client`, for a currency that is_currency() rejects and an amount beyond
  /// kMaxAmount in either direction.
  virtual void adjust_balance(BalanceAdjustment, Done<Outcome<BalanceChange>>) = 0;
  /// `batch.count` is the number of hashes. Errors: conflict when a batch has the id, a voucher has one of the hashes,
  /// or a hash occurs twice; invalid_input, with the fault `client`, for a currency that is_currency() rejects and an
  /// amount that is not 1 to kMaxAmount.
  virtual void create_vouchers(VoucherBatch, std::vector<std::string> code_hashes, Done<void>) = 0;
  virtual void voucher_batches(Done<std::vector<VoucherBatch>>) = 0;
  /// The vouchers of the batch that are not redeemed cannot be any more. Errors: not_found.
  virtual void void_vouchers(std::uint64_t batch, Done<void>) = 0;
  virtual void redeem(VoucherRedemption, Done<Outcome<BalanceChange>>) = 0;

  /// At most `limit` transactions from this number on.
  virtual void journal(std::uint64_t from, std::size_t limit, Done<std::vector<JournalTransaction>>) = 0;
  /// Erases outcomes that are older than kKeyLifetime, the oldest first and at most kMaxForgottenKeys of them. Reports
  /// their number.
  virtual void forget_keys(base::WallTime now, Done<std::size_t>) = 0;

  /// Whether the engine can write, for /readyz.
  virtual base::Status health() const = 0;
};

}  // namespace tribune::shop
