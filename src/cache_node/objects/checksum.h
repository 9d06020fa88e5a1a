#pragma once
// XXH64 (the 64-bit variant of xxHash, seed 0) from libxxhash: detects damage that disks and crashes do to a file. It
// does not protect against forgery; the store's folder is trusted.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tribune::cache_node {

/// Owned by the code that feeds it. Copyable, so that the sum of a prefix can be taken while more bytes follow.
class Checksum {
 public:
  Checksum();
  void add(std::string_view bytes);
  std::uint64_t value() const;
  /// Bytes added so far.
  std::uint64_t length() const { return length_; }

 private:
  /// Holds the library's XXH64_state_t, whose type stays in checksum.cpp.
  alignas(std::uint64_t) std::array<std::byte, 88> state_;
  std::uint64_t length_ = 0;
};

std::uint64_t checksum(std::string_view bytes);

}  // namespace tribune::cache_node
