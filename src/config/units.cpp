#include "config/units.h"

#include <array>
#include <charconv>
#include <limits>
#include <string>

#include "config/section.h"

namespace tribune::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// In descending order: the first unit that divides a value without remainder is used to write it.
constexpr std::array<Unit, 4> kDurationUnits{{{"h", 3'600'000}, {"min", 60'000}, {"s", 1'000}, {"ms", 1}}};
constexpr std::array<Unit, 5> kByteUnits{
    {{"TiB", 1ull << 40}, {"GiB", 1ull << 30}, {"MiB", 1ull << 20}, {"KiB", 1ull << 10}, {"B", 1}}};

template <std::size_t N>
std::optional<std::uint64_t> parse(std::string_view text, const std::array<Unit, N>& units) {
  std::uint64_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  const auto unit_text = text.substr(static_cast<std::size_t>(rest - text.data()));
  for (const auto& unit : units) {
    if (unit.name != unit_text) continue;
    if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / unit.factor)
      return std::nullopt;
    return number * unit.factor;
  }
  return std::nullopt;
}

template <std::size_t N>
std::string format(std::uint64_t value, const std::array<Unit, N>& units) {
  for (const auto& unit : units)
    if (value != 0 && value % unit.factor == 0) return std::to_string(value / unit.factor) + std::string(unit.name);
  return "0";
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto value = parse(text, kDurationUnits);
  if (!value) return std::nullopt;
  return std::chrono::milliseconds{static_cast<std::int64_t>(*value)};
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) { return parse(text, kByteUnits); }

std::string duration_text(Milliseconds duration) {
  if (duration.count() <= 0) return "0s";
  return format(static_cast<std::uint64_t>(duration.count()), kDurationUnits);
}

std::string bytes_text(std::uint64_t bytes) { return bytes == 0 ? "0B" : format(bytes, kByteUnits); }

}  // namespace tribune::config
