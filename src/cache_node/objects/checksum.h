#pragma once
// XXH64 (Yann Collet's xxHash, 64-bit variant, seed 0): detects files that a disk or a crash has damaged. It is no
// defence against forgery; the store's folder is trusted.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tribune::cache_node {

/// Owned by its user; copyable, so that the sum of a prefix can be taken.
class Checksum {
 public:
  void add(std::string_view bytes);
  std::uint64_t value() const;
  /// Bytes added so far.
  std::uint64_t length() const { return length_; }

 private:
  static constexpr std::size_t kStripeBytes = 32;
  void stripes(const char* at, std::size_t bytes);

  static constexpr std::uint64_t kPrime1 = 0x9E3779B185EBCA87ULL, kPrime2 = 0xC2B2AE3D27D4EB4FULL;
  std::array<std::uint64_t, 4> lanes_{kPrime1 + kPrime2, kPrime2, 0, 0 - kPrime1};
  std::array<char, kStripeBytes> rest_{};
  std::size_t rest_size_ = 0;
  std::uint64_t length_ = 0;
};

std::uint64_t checksum(std::string_view bytes);

}  // namespace tribune::cache_node
