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

std::optional<base::WallTime> first_uncovered(std::vector<Entitlement> entitlements, base::WallTime now) {
  std::ranges::sort(entitlements, {}, &Entitlement::from);
  auto uncovered = now;
  for (const auto& entitlement : entitlements) {
    if (entitlement.from > uncovered) break;
    if (!entitlement.until) return std::nullopt;
    uncovered = std::max(uncovered, *entitlement.until);
  }
  return uncovered;
}

std::pair<base::WallTime, std::optional<base::WallTime>> validity_of(const Grant& grant, base::WallTime now,
                                                                     base::WallTime uncovered) {
  if (!grant.valid_for) return {grant.valid_from.value_or(now), grant.valid_until};
  const auto begin = std::max(now, uncovered);
  return {begin, begin + std::min<base::WallTime::duration>(*grant.valid_for, std::max(kLatestEnd - begin, {}))};
}

bool is_already_owned(const Grant& grant, const std::vector<Entitlement>& owned, base::WallTime now) {
  if (std::ranges::any_of(owned, [](const auto& entitlement) { return !entitlement.until; })) return true;
  if (!grant.valid_for)
    return grant.valid_until && std::ranges::any_of(owned, [&](const auto& entitlement) {
             return *entitlement.until >= *grant.valid_until;
           });
  const auto uncovered = first_uncovered(owned, now).value_or(now);
  const auto end = validity_of(grant, now, uncovered).second.value_or(now);
  return end <= uncovered || end - now > kMaxValidity;
}

bool opens_channels(const Grant& grant) { return grant.all_channels || !grant.channels.empty(); }

}  // namespace tribune::shop
