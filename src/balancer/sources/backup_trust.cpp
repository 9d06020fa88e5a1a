#include "balancer/sources/backup_trust.h"

#include <algorithm>
#include <utility>

namespace tribune::balancer {

std::optional<std::size_t> BackupTrust::due(const std::string& playlist, base::SteadyTime now) {
  for (std::size_t i = 1; i < origins_.size(); ++i) {
    auto& origin = origins_[i];
    auto& suspicion = origin.suspicion;
    if (suspicion && now - suspicion->last > kSuspicionEnds) suspicion.reset();
    if ((suspicion && suspicion->playlist != playlist) || now < origin.next) continue;
    origin.next = now + kPeriod;
    return i;
  }
  return std::nullopt;
}

bool BackupTrust::compared(std::size_t index, const std::string& playlist, const FileComparison& comparison,
                           std::chrono::milliseconds target_duration, base::SteadyTime now) {
  using Result = FileComparison::Result;
  if (index == 0 || index >= origins_.size() || comparison.result == Result::unknown) return false;
  auto& origin = origins_[index];
  if (comparison.result == Result::same) return agree(origin, playlist, now);
  return suspect(origin, playlist, comparison, target_duration, now);
}

bool BackupTrust::agree(Origin& origin, const std::string& playlist, base::SteadyTime now) {
  origin.is_compared = true;
  if (origin.suspicion && origin.suspicion->playlist != playlist) return false;
  origin.suspicion.reset();
  if (origin.is_trusted) origin.difference = {};
  if (origin.agreements > 0 && now - origin.agreed < kPeriod) return false;  // the same files once more
  origin.agreed = now;
  origin.agreements = std::min(origin.agreements + 1, kAgreements);
  if (origin.is_trusted || origin.agreements < kAgreements) return false;
  origin.is_trusted = true;
  origin.difference = {};
  return true;
}

bool BackupTrust::suspect(Origin& origin, const std::string& playlist, const FileComparison& comparison,
                          std::chrono::milliseconds target_duration, base::SteadyTime now) {
  const bool is_different = comparison.result == FileComparison::Result::different;
  origin.agreements = 0;
  if (is_different) {
    origin.is_compared = true;
    origin.difference = comparison.difference;
  }
  if (!origin.is_trusted) return false;
  auto& suspicion = origin.suspicion;
  if (!suspicion || suspicion->playlist != playlist || suspicion->first.result != comparison.result)
    suspicion = Suspicion{playlist, comparison, now, now};
  suspicion->last = now;
  origin.next = now + std::min<std::chrono::milliseconds>(target_duration, kPeriod);
  const auto& first = suspicion->first;
  const bool both_advance = comparison.source_end > first.source_end && comparison.backup_end > first.backup_end;
  const auto needed = is_different || comparison.is_far ? target_duration : kLargestLag * target_duration;
  const bool is_confirmed =
      (is_different || both_advance) && now > suspicion->since && now - suspicion->since >= needed;
  if (!is_confirmed) return false;
  suspicion.reset();
  origin.is_compared = true;
  origin.is_trusted = false;
  if (!is_different) origin.difference = "names";
  origin.next = now + kPeriod;
  return true;
}

}  // namespace tribune::balancer
