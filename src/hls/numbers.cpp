#include "hls/numbers.h"

#include <fmt/format.h>

namespace tribune::hls {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Takes exactly `count` digits off the text.
std::optional<int> take_digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(0, count)) {
    if (!is_digit(c)) return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(count);
  return value;
}

/// Takes one of these characters off the text.
bool take_one_of(std::string_view& text, std::string_view characters) {
  if (text.empty() || characters.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

/// Takes ".123…" off the text, of any length.
std::optional<std::chrono::milliseconds> take_fraction(std::string_view& text) {
  std::chrono::milliseconds fraction{0};
  if (!take_one_of(text, ".,")) return fraction;
  if (text.empty() || !is_digit(text.front())) return std::nullopt;
  for (int unit = 100; !text.empty() && is_digit(text.front()); unit /= 10, text.remove_prefix(1))
    fraction += std::chrono::milliseconds{unit * (text.front() - '0')};
  return fraction;
}

/// How far the local time is ahead of UTC: "Z", "+01:00", "+0100", "+01", or nothing at all for UTC.
std::optional<std::chrono::minutes> read_offset(std::string_view text) {
  if (text.empty() || text == "Z" || text == "z") return std::chrono::minutes{0};
  const bool behind = text.front() == '-';
  if (!take_one_of(text, "+-")) return std::nullopt;
  const auto hours = take_digits(text, 2);
  take_one_of(text, ":");
  const auto minutes = text.empty() ? std::optional<int>(0) : take_digits(text, 2);
  if (!hours || !minutes || *hours > 23 || *minutes > 59 || !text.empty()) return std::nullopt;
  const auto ahead = std::chrono::hours{*hours} + std::chrono::minutes{*minutes};
  return behind ? -ahead : ahead;
}

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

std::optional<std::chrono::sys_time<std::chrono::milliseconds>> read_date(std::string_view text) {
  const auto year = take_digits(text, 4);
  const bool first_dash = take_one_of(text, "-");
  const auto month = take_digits(text, 2);
  const bool second_dash = take_one_of(text, "-");
  const auto day = take_digits(text, 2);
  if (!year || !first_dash || !month || !second_dash || !day || !take_one_of(text, "Tt ")) return std::nullopt;
  const auto date = std::chrono::year{*year} / *month / *day;
  const auto hour = take_digits(text, 2);
  const bool first_colon = take_one_of(text, ":");
  const auto minute = take_digits(text, 2);
  const bool second_colon = take_one_of(text, ":");
  const auto second = take_digits(text, 2);
  if (!date.ok() || !hour || !first_colon || !minute || !second_colon || !second || *hour > 23 || *minute > 59 ||
      *second > 60)
    return std::nullopt;
  const auto fraction = take_fraction(text);
  const auto ahead = read_offset(text);
  if (!fraction || !ahead) return std::nullopt;
  return std::chrono::sys_days{date} + std::chrono::hours{*hour} + std::chrono::minutes{*minute} +
         std::chrono::seconds{*second} + *fraction - *ahead;
}

std::string seconds_text(std::chrono::microseconds duration) {
  auto text = fmt::format("{}.{:06}", duration.count() / 1'000'000, duration.count() % 1'000'000);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text += '0';
  return text;
}

}  // namespace tribune::hls
