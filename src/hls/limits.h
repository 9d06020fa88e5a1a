#pragma once
// Bounds on a playlist from an origin. A playlist beyond them is rejected, and the last valid one stays in use.

#include <cstdint>

namespace tribune::hls {

struct Limits {
  std::uint64_t max_bytes = 4ull << 20;
  std::uint64_t max_line_bytes = 64 * 1024;
  std::int64_t max_lines = 200'000;
  std::int64_t max_variables = 1'000;               // EXT-X-DEFINE
  std::uint64_t max_variable_bytes = 16 * 1024;     // of one value, and of one line after substitution
  std::uint64_t max_uri_bytes = 8 * 1024;           // of one URI, once it is absolute
  std::uint64_t max_rewritten_bytes = 32ull << 20;  // of the text for viewers: joined timelines, variables, keys, links
};

}  // namespace tribune::hls
