#pragma once
// Purchases and what they give. Values, and their rules as pure functions.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "accounts/account.h"
#include "base/clock.h"
#include "shop/catalogue.h"
#include "shop/money.h"

namespace tribune::shop {

using accounts::AccountId;
/// Random and never 0.
using PurchaseId = std::uint64_t;

/// pending -> paid -> refunded
///         -> failed
enum class PurchaseState {
  pending,   // the payment has not been decided; goods are reserved until `deadline`
  paid,      // the journal has it, and its grant is in effect
  failed,    // nothing was paid, and what was reserved is on sale again
  refunded,  // the money went back, and the grant has ended
};

std::string_view to_string(PurchaseState);
std::optional<PurchaseState> parse_purchase_state(std::string_view text);

/// A purchase, with the product as it was at that moment.
struct Purchase {
  PurchaseId id = 0;
  AccountId account = 0;
  PurchaseState state = PurchaseState::pending;
  std::string method;  // of payment: the id of a payment method
  std::string product;
  ProductKind kind = ProductKind::goods;
  ViewerText title;
  std::string option;  // id; empty without options
  ViewerText option_title;
  std::int64_t quantity = 1;
  Money price;  // of one piece
  Money total;
  /// What it grants. Once it is paid, from valid_from (set for every grant) to valid_until (nullopt: without end).
  Grant grant;
  base::WallTime created{};
  base::WallTime deadline{};  // of the payment
  base::WallTime decided{};   // when it left `pending`; otherwise 0
  base::WallTime refunded{};
  std::string reason;  // of a failure or a refund
  bool operator==(const Purchase&) const = default;
};

/// Channels that an account may watch because of one purchase.
struct Entitlement {
  PurchaseId purchase = 0;
  bool all_channels = false;
  std::vector<std::string> channels;
  base::WallTime from{};
  std::optional<base::WallTime> until;  // nullopt: without end
  std::string product;
  bool operator==(const Entitlement&) const = default;
};

/// The first moment from `now` on at which none of the entitlements is in effect; nullopt: there is none.
std::optional<base::WallTime> first_uncovered(std::vector<Entitlement>, base::WallTime now);

/// The time in which a grant is in effect when it is paid at `now`. `uncovered` is first_uncovered() of what the
/// account has of the same product. With valid_for the time begins there: at the payment, or at the end of what is in
/// effect without a gap, so that a renewal loses nothing. It lasts valid_for also where it meets an entitlement that
/// begins later, which a refund of an earlier one can leave behind. Without valid_for it is that of the fixed dates.
std::pair<base::WallTime, std::optional<base::WallTime>> validity_of(const Grant&, base::WallTime now,
                                                                     base::WallTime uncovered);

/// Whether the grant of a product is not sold to an account at `now` that has these entitlements to it: one has no end;
/// or one ends no earlier than the fixed dates of the grant; or the time of a grant with valid_for would end more than
/// kMaxValidity after `now`, or would add nothing.
bool is_already_owned(const Grant&, const std::vector<Entitlement>&, base::WallTime now);

/// Whether it opens any channel.
bool opens_channels(const Grant&);

inline constexpr std::int64_t kMaxQuantity = 1'000;
inline constexpr std::size_t kMaxPendingPurchases = 5;  // of an account at once
inline constexpr std::size_t kMaxEntitlements = 256;    // of an account that have not ended

}  // namespace tribune::shop
