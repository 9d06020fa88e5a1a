#include "shop/embedded_outcomes.h"

#include <fmt/format.h>

#include <vector>

#include "base/encoding.h"
#include "base/signing.h"
#include "store/json_record.h"

namespace tribune::shop {
namespace {

constexpr std::size_t kMaxForgotten = 2'000;  // outcomes in one transaction: others wait for the writing thread
constexpr std::size_t kTimeCharacters = 16;

std::string outcome_key(AccountId owner, const IdempotencyKey& key) {
  return fmt::format("{}/{}", base::to_hex64(owner), base::to_hex(base::sha256(key.key)).substr(0, 32));
}

}  // namespace

std::optional<StoredOutcome> outcome_in(store::ReadTransaction& t, AccountId owner, const IdempotencyKey& key,
                                        base::WallTime now) {
  if (key.key.empty()) return std::nullopt;
  const auto record = t.get(kOutcomes, outcome_key(owner, key));
  auto stored = record ? stored_outcome_of_record(*record) : std::nullopt;
  if (stored && now - stored->at >= kKeyLifetime) stored.reset();
  return stored;
}

void put_outcome(store::WriteTransaction& t, AccountId owner, const IdempotencyKey& key, base::WallTime now,
                 const Decided<std::string>& record) {
  if (key.key.empty()) return;
  if (!record && record.error().why == ShopRefusal::account_unknown) return;
  const auto place = outcome_key(owner, key);
  const auto at = base::to_hex64(static_cast<std::uint64_t>(store::milliseconds_of(now)));
  t.put(kOutcomes, place,
        to_record(StoredOutcome{key.fingerprint, now, record ? *record : to_record(record.error()), !record}));
  t.put(kOutcomeTimes, at + "/" + place, "");
}

void forget_outcomes(store::WriteTransaction& t, base::WallTime now) {
  std::vector<std::string> old;
  const auto last = base::to_hex64(static_cast<std::uint64_t>(store::milliseconds_of(now - kKeyLifetime)));
  t.scan(kOutcomeTimes, "", [&](std::string_view key, std::string_view) {
    if (key.substr(0, kTimeCharacters) > last || old.size() == kMaxForgotten) return false;
    old.emplace_back(key);
    return true;
  });
  for (const auto& key : old) {
    const auto place = key.substr(kTimeCharacters + 1);
    const auto record = t.get(kOutcomes, place);
    const auto stored = record ? stored_outcome_of_record(*record) : std::nullopt;
    // A key that was used again after its lifetime has a newer outcome.
    if (!stored || now - stored->at >= kKeyLifetime) t.erase(kOutcomes, place);
    t.erase(kOutcomeTimes, key);
  }
}

}  // namespace tribune::shop
