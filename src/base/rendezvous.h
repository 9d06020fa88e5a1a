#pragma once
// Rendezvous hashing: who of many is responsible for a key, so that everybody who knows the same candidates names the
// same one without asking, and a candidate that comes or goes moves only its own keys. Thaler and Ravishankar, "Using
// name-based mappings to increase hit rates", 1998; the weights after Schindler and Schomaker, "Weighted distributed
// hash tables", 2005. Pure functions; the same on every machine and in every version.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace tribune::base {

struct RendezvousCandidate {
  std::string_view id;
  double weight = 1;  // its share of the keys, relative to the others'; none for 0 and below
};

/// The draw of one candidate for one key: even over all 64 bits.
std::uint64_t rendezvous_hash(std::string_view id, std::string_view key);

/// The candidate with the highest score is responsible. 0 for a candidate without weight, else above 0.
double rendezvous_score(const RendezvousCandidate&, std::string_view key);

/// Places in `candidates`, the responsible one first, then who takes over for it, and so on. Without those of no
/// weight.
std::vector<std::size_t> rendezvous_order(const std::vector<RendezvousCandidate>& candidates, std::string_view key);

}  // namespace tribune::base
