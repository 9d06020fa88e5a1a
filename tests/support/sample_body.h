#pragma once
// Bytes for the bodies of responses.

#include <cstddef>
#include <cstdint>
#include <string>

namespace tribune::test {

/// A body that differs at every offset and between seeds.
inline std::string body_of(std::size_t size, unsigned seed = 1) {
  std::string body(size, '\0');
  std::uint32_t state = seed * 2654435761u + 1;
  for (auto& c : body) c = static_cast<char>((state = state * 1664525u + 1013904223u) >> 24);
  return body;
}

}  // namespace tribune::test
