#include "hls/numbers.h"

#include <fmt/format.h>

namespace tribune::hls {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::optional<std::int64_t> read_integer(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::int64_t value = 0;
  for (const char c : text) {
    if (!is_digit(c) || value > kMaxInteger / 10) return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value <= kMaxInteger ? std::optional(value) : std::nullopt;
}

std::optional<std::chrono::microseconds> read_seconds(std::string_view text) {
  constexpr std::int64_t kMaxSeconds = 1'000'000'000;
  const auto point = text.find('.');
  const auto whole = text.substr(0, point);
  const auto fraction = point == std::string_view::npos ? std::string_view{} : text.substr(point + 1);
  if (whole.empty() && fraction.empty()) return std::nullopt;
  const auto seconds = whole.empty() ? std::optional<std::int64_t>{0} : read_integer(whole);
  if (!seconds || *seconds >= kMaxSeconds) return std::nullopt;
  std::int64_t micros = 0;
  std::int64_t unit = 100'000;
  for (std::size_t i = 0; i < fraction.size(); ++i) {
    if (!is_digit(fraction[i])) return std::nullopt;
    if (i < 6) {
      micros += (fraction[i] - '0') * unit;
      unit /= 10;
    } else if (i == 6 && fraction[i] >= '5') {
      ++micros;
    }
  }
  return std::chrono::microseconds{*seconds * 1'000'000 + micros};
}

std::string seconds_text(std::chrono::microseconds duration) {
  auto text = fmt::format("{}.{:06}", duration.count() / 1'000'000, duration.count() % 1'000'000);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text += '0';
  return text;
}

}  // namespace tribune::hls
