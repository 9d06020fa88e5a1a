#include "shop/purchase.h"

#include <algorithm>
#include <array>

namespace tribune::shop {
namespace {

constexpr std::array<std::pair<PurchaseState, std::string_view>, 4> kPurchaseStates{
    {{PurchaseState::pending, "pending"},
     {PurchaseState::paid, "paid"},
     {PurchaseState::failed, "failed"},
     {PurchaseState::refunded, "refunded"}}};

// WHY bounded: a wall clock of 64 bits of nanoseconds ends in 2262, and renewals add up.
constexpr base::WallTime kLatestEnd{std::chrono::seconds{7'258'118'400}};  // 2200-01-01

}  // namespace

std::string_view to_string(PurchaseState state) {
  return std::find_if(kPurchaseStates.begin(), kPurchaseStates.end(), [&](const auto& s) { return s.first == state; })
      ->second;
}

std::optional<PurchaseState> parse_purchase_state(std::string_view text) {
  const auto found =
      std::find_if(kPurchaseStates.begin(), kPurchaseStates.end(), [&](const auto& s) { return s.second == text; });
  if (found == kPurchaseStates.end()) return std::nullopt;
  return found->first;
}

std::pair<base::WallTime, std::optional<base::WallTime>> validity_of(const Grant& grant, base::WallTime now,
                                                                     std::optional<base::WallTime> owned_until) {
  if (!grant.valid_for) return {grant.valid_from.value_or(now), grant.valid_until};
  const auto begin = std::max(now, owned_until.value_or(now));
  return {begin, begin + std::min<base::WallTime::duration>(*grant.valid_for, std::max(kLatestEnd - begin, {}))};
}

}  // namespace tribune::shop
