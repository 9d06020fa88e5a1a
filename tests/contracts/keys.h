#pragma once
// Keys, times and bit flips for the tests of signed values.

#include <chrono>
#include <functional>
#include <string>

#include <doctest/doctest.h>

#include "base/signing.h"

namespace tribune::test {

inline constexpr std::chrono::milliseconds kSkew{30'000};
inline const base::WallTime kNow{std::chrono::seconds{1'750'000'000}};

inline base::KeyRing one_key() { return base::KeyRing({{"k1", "a secret of 32 bytes for testing", std::nullopt}}); }
inline base::KeyRing other_key() { return base::KeyRing({{"k1", "another secret, just as long ....", std::nullopt}}); }

/// Requires that every text that differs in one bit is refused.
inline void refuse_every_flip(const std::string& text, const std::function<bool(const std::string&)>& accepts) {
  REQUIRE(accepts(text));
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      auto changed = text;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      CAPTURE(changed);
      CHECK_FALSE(accepts(changed));
    }
  }
}

/// Requires that every truncated or extended text is refused.
inline void refuse_every_cut(const std::string& text, const std::function<bool(const std::string&)>& accepts) {
  for (std::size_t length = 0; length < text.size(); ++length) CHECK_FALSE(accepts(text.substr(0, length)));
  for (const char c : {'A', '0', '.', '=', '&', '\0', '\n'}) CHECK_FALSE(accepts(text + c));
}

}  // namespace tribune::test
