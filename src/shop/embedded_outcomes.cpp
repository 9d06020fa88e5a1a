#include "shop/embedded_outcomes.h"

#include <fmt/format.h>

#include <vector>

#include "base/encoding.h"
#include "base/signing.h"

namespace tribune::shop {
namespace {

constexpr std::size_t kTimeCharacters = 16;

}  // namespace

std::string outcome_key(AccountId owner, const IdempotencyKey& key) {
  return fmt::format("{}/{}", base::to_hex64(owner), base::to_hex(base::sha256(key.key)).substr(0, 32));
}

base::Result<std::optional<StoredOutcome>> outcome_in(store::ReadTransaction& t, AccountId owner,
                                                      const IdempotencyKey& key) {
  if (key.key.empty()) return std::nullopt;
  const auto place = outcome_key(owner, key);
  const auto record = t.get(kOutcomes, place);
  if (!record) return std::nullopt;
  auto stored = stored_outcome_of_record(*record);
  if (!stored) return unreadable_record(kOutcomes, place);
  return stored;
}

void put_outcome(store::WriteTransaction& t, AccountId owner, const IdempotencyKey& key, base::WallTime now,
                 std::string record) {
  if (key.key.empty()) return;
  const auto place = outcome_key(owner, key);
  t.put(kOutcomes, place, to_record(StoredOutcome{key.fingerprint, now, std::move(record)}));
  t.put(kOutcomeTimes, time_key(now) + "/" + place, "");
}

std::size_t forget_outcomes(store::WriteTransaction& t, base::WallTime now) {
  std::vector<std::string> old;
  const auto last = time_key(now - kKeyLifetime);
  t.scan(kOutcomeTimes, "", [&](std::string_view key, std::string_view) {
    if (key.substr(0, kTimeCharacters) > last || old.size() == kMaxForgottenKeys) return false;
    old.emplace_back(key);
    return true;
  });
  for (const auto& key : old) {
    t.erase(kOutcomes, key.substr(kTimeCharacters + 1));
    t.erase(kOutcomeTimes, key);
  }
  return old.size();
}

}  // namespace tribune::shop
