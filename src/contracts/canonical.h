#pragma once
// Canonical spellings (one text per value), shared by the signed contracts. Pure functions.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"

namespace tribune::contracts {

/// A whole number from 0 without sign or leading zeros, at most 15 digits.
std::optional<std::int64_t> read_decimal(std::string_view text);

/// Milliseconds since 1970-01-01 UTC: wide enough for any read_decimal() of seconds.
inline std::int64_t unix_ms(base::WallTime t) {
  return std::chrono::floor<std::chrono::milliseconds>(t).time_since_epoch().count();
}

/// Whether the text has 1 to 16 characters of a-z 0-9: key ids and epochs.
bool is_short_id(std::string_view text);

/// Whether the text has 1 to 64 characters of a-z 0-9 . _ - and begins with a letter or digit: ids of channels and
/// nodes, by the rule of config::check_id.
bool is_id(std::string_view text);

/// Whether the text consists of visible ASCII, so that it cannot end a line of a signed message.
bool is_visible_ascii(std::string_view text);

/// The parts between exactly N - 1 separators; nullopt for any other number of separators.
template <std::size_t N>
std::optional<std::array<std::string_view, N>> split_exactly(std::string_view text, char separator) {
  std::array<std::string_view, N> parts;
  for (std::size_t i = 0; i < N; ++i) {
    const auto end = text.find(separator);
    if ((end == std::string_view::npos) != (i + 1 == N)) return std::nullopt;
    parts[i] = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return parts;
}

}  // namespace tribune::contracts
