#include "shop/embedded_entitlements.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "shop/shop_records.h"

namespace tribune::shop {
namespace {

using store::ReadTransaction;
using store::WriteTransaction;

constexpr std::chrono::hours kEndedKept{24};  // a wall clock that is wrong by less erases nothing

std::string entitlement_key(const Purchase& purchase) {
  return fmt::format("{}/{}/{}", accounts::to_text(purchase.account), time_key(purchase.created),
                     accounts::to_text(purchase.id));
}

/// Calls `visit` with each key and entitlement of the account. Records that cannot be read are left out.
template <class Visit>
void visit_entitlements(ReadTransaction& t, AccountId account, Visit visit) {
  const auto prefix = accounts::to_text(account) + "/";
  t.scan(kEntitlements, prefix, [&](std::string_view key, std::string_view record) {
    if (!key.starts_with(prefix)) return false;
    if (auto entitlement = entitlement_of_record(record)) visit(key, std::move(*entitlement));
    return true;
  });
}

void erase_ended_entitlements(WriteTransaction& t, AccountId account, base::WallTime now) {
  std::vector<std::pair<std::string, base::WallTime>> ended;
  std::size_t count = 0;
  visit_entitlements(t, account, [&](std::string_view key, const Entitlement& entitlement) {
    ++count;
    if (entitlement.until && *entitlement.until <= now) ended.emplace_back(key, *entitlement.until);
  });
  const auto erased_before = count < kMaxEntitlements ? now - kEndedKept : now;
  for (const auto& [key, end] : ended)
    if (end <= erased_before) t.erase(kEntitlements, key);
}

}  // namespace

std::vector<Entitlement> entitlements_in(ReadTransaction& t, AccountId account, base::WallTime now) {
  std::vector<Entitlement> found;
  visit_entitlements(t, account, [&](std::string_view, Entitlement&& entitlement) {
    if (!entitlement.until || *entitlement.until > now) found.push_back(std::move(entitlement));
  });
  return found;
}

void put_entitlement(WriteTransaction& t, const Purchase& purchase, base::WallTime now) {
  erase_ended_entitlements(t, purchase.account, now);
  const auto& grant = purchase.grant;
  t.put(kEntitlements, entitlement_key(purchase),
        to_record(Entitlement{purchase.id, grant.all_channels, grant.channels, grant.valid_from.value_or(now),
                              grant.valid_until, purchase.product}));
}

void erase_entitlement(WriteTransaction& t, const Purchase& purchase) {
  t.erase(kEntitlements, entitlement_key(purchase));
}

}  // namespace tribune::shop
