#pragma once
// A table of shards, each with its own lock, so that threads rarely wait for each other. The caller's shard type
// contains the lock.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/hash.h"

namespace tribune::base {

/// The shards are created with the table and never move. Concurrent access to one shard is the shard's concern.
template <typename Shard, std::size_t kCount = 64>
class Sharded {
 public:
  static_assert(kCount > 1 && std::has_single_bit(kCount));

  Shard& of(std::uint64_t key) { return shards_[index_of(key)]; }
  const Shard& of(std::uint64_t key) const { return shards_[index_of(key)]; }
  /// `index` may be any number: it is taken modulo the number of shards.
  Shard& operator[](std::size_t index) { return shards_[index % kCount]; }

  static constexpr std::size_t size() { return kCount; }
  auto begin() { return shards_.begin(); }
  auto end() { return shards_.end(); }
  auto begin() const { return shards_.begin(); }
  auto end() const { return shards_.end(); }

 private:
  static constexpr std::size_t index_of(std::uint64_t key) {
    return static_cast<std::size_t>(multiplicative_hash(key) >> (64 - std::countr_zero(kCount)));
  }
  std::array<Shard, kCount> shards_;
};

}  // namespace tribune::base
