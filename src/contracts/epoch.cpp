#include "contracts/epoch.h"

#include <vector>

#include "base/encoding.h"
#include "base/ids.h"
#include "base/signing.h"

namespace tribune::contracts {
namespace {

constexpr std::size_t kRandomCharacters = 8;
constexpr std::size_t kMarkCharacters = 6;
constexpr std::string_view kBackupMark = "\nbackup ";  // before each backup

std::string mark_of(std::string_view hashed) { return base::to_hex(base::sha256(hashed)).substr(0, kMarkCharacters); }

}  // namespace

std::string new_epoch(const OriginSet& origins, bool names_backups) {
  auto hashed = origins.base;
  for (const auto& extra : origins.extra_origins) hashed.append("\n").append(extra);
  for (const auto& backup : origins.backups)
    if (names_backups) hashed.append(kBackupMark).append(backup);
  return base::random_id(kRandomCharacters) + mark_of(hashed);
}

std::optional<OriginSet> origins_of_epoch(const OriginSet& origins, std::string_view epoch) {
  if (epoch.size() != kRandomCharacters + kMarkCharacters) return origins;
  const auto mark = epoch.substr(kRandomCharacters);
  std::vector<std::string> hashed{origins.base};  // with each number of extra origins
  for (const auto& extra : origins.extra_origins) hashed.push_back(hashed.back() + "\n" + extra);
  for (const auto& one : hashed)
    if (mark_of(one) == mark) return origins;
  for (std::size_t extras = 0; extras < hashed.size(); ++extras)
    for (const auto& backup : origins.backups) {
      hashed[extras].append(kBackupMark).append(backup);
      if (mark_of(hashed[extras]) != mark) continue;
      // The paths number the backups after the extra origins.
      auto found = origins;
      found.extra_origins.resize(extras);
      return found;
    }
  return std::nullopt;
}

bool is_epoch_of(const OriginSet& origins, std::string_view epoch) {
  return origins_of_epoch(origins, epoch).has_value();
}

}  // namespace tribune::contracts
