#include "contracts/epoch.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/ids.h"
#include "base/signing.h"

namespace tribune::contracts {
namespace {

constexpr std::size_t kRandomCharacters = 8;
constexpr std::size_t kMarkCharacters = 6;

std::string mark_of(std::string_view hashed) { return base::to_hex(base::sha256(hashed)).substr(0, kMarkCharacters); }

}  // namespace

std::string new_epoch(const OriginSet& origins) {
  auto hashed = origins.base;
  for (const auto& extra : origins.extra_origins) hashed.append("\n").append(extra);
  return base::random_id(kRandomCharacters) + mark_of(hashed);
}

bool is_epoch_of(const OriginSet& origins, std::string_view epoch) {
  if (epoch.size() != kRandomCharacters + kMarkCharacters) return true;
  const auto mark = epoch.substr(kRandomCharacters);
  auto hashed = origins.base;
  if (mark_of(hashed) == mark) return true;
  return std::any_of(origins.extra_origins.begin(), origins.extra_origins.end(), [&](const std::string& extra) {
    hashed.append("\n").append(extra);
    return mark_of(hashed) == mark;
  });
}

}  // namespace tribune::contracts
