#pragma once
// Durations and sizes as text with a unit. Pure functions.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tribune::config {

/// "200ms", "2s", "5min", "1h": a whole number and a unit. nullopt for any other text or on overflow.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// "512B", "16KiB", "1MiB", "10GiB", "1TiB". nullopt for any other text or on overflow.
std::optional<std::uint64_t> parse_bytes(std::string_view text);

}  // namespace tribune::config
