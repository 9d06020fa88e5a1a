#pragma once
// The hash functions of the program. Pure functions; the same values on every machine and in every version, because
// some of them are stored or compared between nodes. None of them resists an attacker who chooses the keys.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace tribune::base {

/// FNV-1a of 64 bits. `seed` is the hash of the bytes before these.
inline constexpr std::uint64_t kFnvOffsetBasis = 0xcbf29ce484222325ull;
constexpr std::uint64_t fnv1a(std::string_view bytes, std::uint64_t seed = kFnvOffsetBasis) {
  for (const char c : bytes) seed = (seed ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return seed;
}

/// Multiplicative hashing of a number (Knuth, 6.4): the high bits of the product are evenly spread, the low ones are
/// not.
inline constexpr std::uint64_t kGoldenRatio = 0x9e3779b97f4a7c15ull;
constexpr std::uint64_t multiplicative_hash(std::uint64_t number) { return number * kGoldenRatio; }

/// The finalizer of splitmix64: every bit of the result depends on every bit of the number.
constexpr std::uint64_t mixed_hash(std::uint64_t number) {
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9ull;
  number = (number ^ (number >> 27)) * 0x94d049bb133111ebull;
  return number ^ (number >> 31);
}

/// The hash of a sequence, one number after the other.
constexpr std::uint64_t combined_hash(std::uint64_t hash, std::uint64_t next) {
  return mixed_hash(multiplicative_hash(hash) ^ next);
}

/// For unordered containers with keys of type std::string that are looked up by std::string_view.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

}  // namespace tribune::base
