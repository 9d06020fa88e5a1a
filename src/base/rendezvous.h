#pragma once
// Rendezvous hashing: assigns each key to one of several candidates. All processes with the same candidates choose the
// same one without communication, and a candidate that joins or leaves moves only its own keys. Thaler and Ravishankar,
// "Using name-based mappings to increase hit rates", 1998; the weights after Schindler and Schomaker, "Weighted
// distributed hash tables", 2005. Pure functions; the same on every machine and in every version.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace tribune::base {

struct RendezvousCandidate {
  std::string_view id;
  double weight = 1;  // its share of the keys, relative to the others; 0 and below: no share
};

/// The hash of one candidate and one key, uniform over 64 bits.
std::uint64_t rendezvous_hash(std::string_view id, std::string_view key);

/// The candidate with the highest score is responsible for the key. 0 for a candidate without weight, otherwise above
/// 0.
double rendezvous_score(const RendezvousCandidate&, std::string_view key);

/// Indexes into `candidates` by descending score: the responsible one first, then its successors. Candidates without
/// weight are left out.
std::vector<std::size_t> rendezvous_order(const std::vector<RendezvousCandidate>& candidates, std::string_view key);

}  // namespace tribune::base
