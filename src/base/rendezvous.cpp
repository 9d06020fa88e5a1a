#include "base/rendezvous.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/hash.h"

namespace tribune::base {

// FNV-1a leaves the high bits of short texts alike; mixed_hash spreads them.
std::uint64_t rendezvous_hash(std::string_view id, std::string_view key) {
  const auto separated = fnv1a(std::string_view("\0", 1), fnv1a(id));
  return mixed_hash(fnv1a(key, mixed_hash(separated)));
}

double rendezvous_score(const RendezvousCandidate& candidate, std::string_view key) {
  if (!(candidate.weight > 0)) return 0;
  // In the open interval (0, 1): 53 bits, plus half a step.
  const auto draw = (static_cast<double>(rendezvous_hash(candidate.id, key) >> 11) + 0.5) / 9007199254740992.0;
  return candidate.weight / -std::log(draw);
}

std::vector<std::size_t> rendezvous_order(const std::vector<RendezvousCandidate>& candidates, std::string_view key) {
  std::vector<std::pair<double, std::size_t>> scored;
  scored.reserve(candidates.size());
  for (std::size_t i = 0; i < candidates.size(); ++i)
    if (const auto score = rendezvous_score(candidates[i], key); score > 0) scored.emplace_back(score, i);
  std::sort(scored.begin(), scored.end(), [&](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : candidates[a.second].id < candidates[b.second].id;
  });
  std::vector<std::size_t> order;
  order.reserve(scored.size());
  for (const auto& [score, place] : scored) order.push_back(place);
  return order;
}

}  // namespace tribune::base
