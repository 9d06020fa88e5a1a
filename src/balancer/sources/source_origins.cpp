#include "balancer/sources/source_origins.h"

#include <algorithm>

namespace tribune::balancer {

std::size_t SourceOrigins::choice() const {
  const auto healthy = std::find_if(origins_.begin(), origins_.end(), [](const Origin& o) { return o.healthy; });
  const auto soonest = std::min_element(origins_.begin(), origins_.end(),
                                        [](const Origin& a, const Origin& b) { return a.next_try < b.next_try; });
  return static_cast<std::size_t>((healthy != origins_.end() ? healthy : soonest) - origins_.begin());
}

bool SourceOrigins::is_other_healthy(std::size_t origin) const {
  for (std::size_t i = 0; i < origins_.size(); ++i)
    if (i != origin && origins_[i].healthy) return true;
  return false;
}

bool SourceOrigins::succeeded(std::size_t index) {
  auto& origin = origins_[index];
  const bool has_changed = !origin.healthy;
  origin = Origin{};
  return has_changed;
}

bool SourceOrigins::failed(std::size_t index, Failure failure, base::SteadyTime now) {
  auto& origin = origins_[index];
  ++origin.failures;
  if (origin.healthy && failure == Failure::immediate && origin.failures < 2) return false;
  const bool has_changed = origin.healthy;
  origin.healthy = false;
  origin.back_off = std::clamp(2 * origin.back_off, kFirstBackOff, kMaxBackOff);
  origin.next_try = now + origin.back_off;
  return has_changed;
}

std::optional<std::size_t> SourceOrigins::probe_due(base::SteadyTime now) {
  const auto present = choice();
  for (std::size_t i = 0; i < present; ++i) {
    auto& origin = origins_[i];
    if (origin.healthy || now < origin.next_try) continue;
    origin.next_try = now + std::max(origin.back_off, kFirstBackOff);
    return i;
  }
  return std::nullopt;
}

}  // namespace tribune::balancer
