#pragma once
// The numbers of a playlist (RFC 8216bis section 4.2), read exactly and without a locale. Pure functions.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tribune::hls {

/// Largest integer taken from a playlist: sums of a few of them cannot overflow.
inline constexpr std::int64_t kMaxInteger = std::int64_t{1} << 60;

/// decimal-integer; nothing for anything else or above kMaxInteger.
std::optional<std::int64_t> read_integer(std::string_view text);

/// decimal-floating-point seconds, rounded to the microsecond; nothing for signs, exponents or a billion seconds.
std::optional<std::chrono::microseconds> read_seconds(std::string_view text);

/// "seconds.microseconds" without trailing zeros.
std::string seconds_text(std::chrono::microseconds);

}  // namespace tribune::hls
