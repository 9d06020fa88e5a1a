#pragma once
// What requests with an idempotency key have done, in the tables of the embedded store. Refusals are not in them.
//
// Tables and keys
//   outcomes        {owner}/{hash of the key}          owner: an account, or 0 for all operators
//   outcome_times   {time}/{owner}/{hash of the key}   for forget_outcomes()

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <variant>

#include "shop/shop_records.h"
#include "store/transactional_store.h"

namespace tribune::shop {

inline constexpr std::string_view kOutcomes = "outcomes", kOutcomeTimes = "outcome_times";

/// Why a step changes nothing: a rule of the shop, or an error of the store.
using Undone = std::variant<RefusedOrder, base::Error>;
template <class T>
using Decided = tl::expected<T, Undone>;

inline tl::unexpected<RefusedOrder> refused_order(ShopRefusal why, Money price = {}) {
  RefusedOrder refused;
  refused.why = why;
  refused.price = std::move(price);
  return tl::unexpected(std::move(refused));
}

/// A refusal as an outcome; an error as it is.
template <class T>
base::Result<Outcome<T>> undone_outcome(const Undone& undone) {
  if (const auto* error = std::get_if<base::Error>(&undone)) return tl::unexpected(*error);
  return Outcome<T>{std::get<RefusedOrder>(undone)};
}

/// Its key in the table.
std::string outcome_key(AccountId owner, const IdempotencyKey&);
/// The stored outcome of the key, whatever its age: forget_outcomes() alone ends it, so that a step of the wall clock
/// does not carry a request out twice. Errors: protocol for a record that cannot be read.
base::Result<std::optional<StoredOutcome>> outcome_in(store::ReadTransaction&, AccountId owner, const IdempotencyKey&);
/// Stores an outcome unless the key is empty.
void put_outcome(store::WriteTransaction&, AccountId owner, const IdempotencyKey&, base::WallTime now,
                 std::string record);
/// As ShopStore::forget_keys().
std::size_t forget_outcomes(store::WriteTransaction&, base::WallTime now);

inline std::optional<Purchase> value_of_record(std::string_view text, const Purchase*) {
  return purchase_of_record(text);
}
inline std::optional<BalanceChange> value_of_record(std::string_view text, const BalanceChange*) {
  return balance_change_of_record(text);
}

/// Carries the request out, unless it was carried out before.
template <class T>
base::Result<Outcome<T>> carried_out_once(store::WriteTransaction& t, AccountId owner, const IdempotencyKey& key,
                                          base::WallTime now, const std::function<Decided<T>()>& work) {
  const auto stored = outcome_in(t, owner, key);
  if (!stored) return tl::unexpected(stored.error());
  if (*stored) {
    if ((*stored)->fingerprint != key.fingerprint) return Outcome<T>{refused_order(ShopRefusal::key_reused).value()};
    auto value = value_of_record((*stored)->record, static_cast<const T*>(nullptr));
    if (!value) return unreadable_record(kOutcomes, outcome_key(owner, key));
    return Outcome<T>{std::move(*value), true};
  }
  const auto decided = work();
  if (!decided) return undone_outcome<T>(decided.error());
  put_outcome(t, owner, key, now, to_record(*decided));
  return Outcome<T>{*decided};
}

}  // namespace tribune::shop
