#pragma once
// The numbers of a playlist (RFC 8216bis section 4.2), read exactly and without a locale. Pure functions.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tribune::hls {

/// The largest accepted integer, so that sums of a few of them do not overflow.
inline constexpr std::int64_t kMaxInteger = std::int64_t{1} << 60;

/// decimal-integer; nullopt for any other text or above kMaxInteger.
std::optional<std::int64_t> read_integer(std::string_view text);

/// decimal-floating-point seconds, rounded to the microsecond; nullopt for signs, exponents, and from a billion seconds
/// on.
std::optional<std::chrono::microseconds> read_seconds(std::string_view text);

/// "seconds.microseconds" without trailing zeros.
std::string seconds_text(std::chrono::microseconds);

}  // namespace tribune::hls
