#pragma once
// A hash of 128 bits that nobody outside this process can predict: two texts that others choose have the same hash
// with a probability of 2^-128. For tables that remember texts without keeping them. SipHash-2-4 with a random key.

#include <array>
#include <cstdint>
#include <string_view>

namespace tribune::base {

/// Immutable. Const methods from any thread. Each object has a key of its own, which never leaves it: the values mean
/// nothing elsewhere, and must not be shown to others.
class KeyedHash {
 public:
  using Value = std::array<std::uint64_t, 2>;

  KeyedHash();
  ~KeyedHash();
  KeyedHash(const KeyedHash&) = delete;
  KeyedHash& operator=(const KeyedHash&) = delete;

  /// Allocates nothing.
  Value operator()(std::string_view text) const;

 private:
  std::array<unsigned char, 16> key_;
};

/// For unordered containers with keys of type KeyedHash::Value, which are evenly spread already.
struct KeyedHashPlace {
  std::size_t operator()(const KeyedHash::Value& value) const { return static_cast<std::size_t>(value[0]); }
};

}  // namespace tribune::base
