#pragma once
// The records of the embedded store of the shop, as JSON texts. Pure functions; nullopt for a text that none of them
// writes. A product, a note about a channel and a transaction of the journal have the forms of catalogue_json.h and
// books.h.

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "shop/shop_store.h"

namespace tribune::shop {

/// For a record that exists and has a wrong text: it must not count as one that does not exist.
tl::unexpected<base::Error> unreadable_record(std::string_view table, std::string_view key);

/// A time in a key: the order of keys is that of times.
std::string time_key(base::WallTime);

/// A record that is a whole number.
std::optional<std::int64_t> number_of_record(std::string_view text);

/// The price of a product before the present one.
struct FormerPrice {
  Money price;
  base::WallTime until{};  // it is accepted before this time
};

/// What a request with an idempotency key has done.
struct StoredOutcome {
  std::string fingerprint;
  base::WallTime at{};
  std::string record;  // of the value
};

/// A voucher; its key is the hash of its code.
struct Voucher {
  std::uint64_t batch = 0;
  AccountId redeemed_by = 0;  // 0: it is not redeemed
};

std::string to_record(const Purchase&);
std::string to_record(const Entitlement&);
std::string to_record(const VoucherBatch&);
std::string to_record(const Voucher&);
std::string to_record(const FormerPrice&);
std::string to_record(const BalanceChange&);
std::string to_record(const StoredOutcome&);

std::optional<Purchase> purchase_of_record(std::string_view text);
std::optional<Entitlement> entitlement_of_record(std::string_view text);
std::optional<VoucherBatch> voucher_batch_of_record(std::string_view text);
std::optional<Voucher> voucher_of_record(std::string_view text);
std::optional<FormerPrice> former_price_of_record(std::string_view text);
std::optional<BalanceChange> balance_change_of_record(std::string_view text);
std::optional<StoredOutcome> stored_outcome_of_record(std::string_view text);

}  // namespace tribune::shop
