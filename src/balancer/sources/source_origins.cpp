#include "balancer/sources/source_origins.h"

#include <algorithm>

namespace tribune::balancer {

std::size_t SourceOrigins::choice() const {
  const auto well = std::find_if(origins_.begin(), origins_.end(), [](const Origin& o) { return o.well; });
  const auto rested = std::min_element(origins_.begin(), origins_.end(),
                                       [](const Origin& a, const Origin& b) { return a.next_try < b.next_try; });
  return static_cast<std::size_t>((well != origins_.end() ? well : rested) - origins_.begin());
}

bool SourceOrigins::succeeded(std::size_t index) {
  auto& origin = origins_[index];
  const bool is_news = !origin.well;
  origin = Origin{};
  return is_news;
}

bool SourceOrigins::failed(std::size_t index, How how, base::SteadyTime now) {
  auto& origin = origins_[index];
  ++origin.failures;
  if (origin.well && how == How::at_once && origin.failures < 2) return false;
  const bool is_news = origin.well;
  origin.well = false;
  origin.rest = std::clamp(2 * origin.rest, kFirstRest, kLongestRest);
  origin.next_try = now + origin.rest;
  return is_news;
}

std::optional<std::size_t> SourceOrigins::probe_due(base::SteadyTime now) {
  const auto present = choice();
  for (std::size_t i = 0; i < present; ++i) {
    auto& origin = origins_[i];
    if (origin.well || now < origin.next_try) continue;
    origin.next_try = now + std::max(origin.rest, kFirstRest);
    return i;
  }
  return std::nullopt;
}

}  // namespace tribune::balancer
