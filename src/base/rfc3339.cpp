#include "base/rfc3339.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>

namespace tribune::base {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

enum class Grammar { rfc3339, iso8601 };

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

/// Takes three numbers with `separator` between them off the text.
std::optional<std::array<int, 3>> take_three(std::string_view& text, std::size_t first_digits,
                                             std::string_view separator) {
  const auto first = take_digits(text, first_digits);
  const bool has_first_separator = take_one_of(text, separator);
  const auto second = take_digits(text, 2);
  const bool has_second_separator = take_one_of(text, separator);
  const auto third = take_digits(text, 2);
  if (!first || !has_first_separator || !second || !has_second_separator || !third) return std::nullopt;
  return std::array{*first, *second, *third};
}

/// Takes ".123…" off the text, of any length.
std::optional<milliseconds> take_fraction(std::string_view& text, Grammar grammar) {
  milliseconds fraction{0};
  if (!take_one_of(text, grammar == Grammar::iso8601 ? ".," : ".")) return fraction;
  if (text.empty() || !is_digit(text.front())) return std::nullopt;
  for (int unit = 100; !text.empty() && is_digit(text.front()); unit /= 10, text.remove_prefix(1))
    fraction += milliseconds{unit * (text.front() - '0')};
  return fraction;
}

/// The offset of the local time from UTC.
std::optional<minutes> parse_offset(std::string_view text, Grammar grammar) {
  if (text == "Z" || text == "z") return minutes{0};
  const bool is_strict = grammar == Grammar::rfc3339;
  if (text.empty()) return is_strict ? std::nullopt : std::optional(minutes{0});
  const bool is_behind = text.front() == '-';
  if (!take_one_of(text, "+-")) return std::nullopt;
  const auto hours = take_digits(text, 2);
  if (!take_one_of(text, ":") && is_strict) return std::nullopt;
  const auto rest = text.empty() && !is_strict ? std::optional<int>(0) : take_digits(text, 2);
  if (!hours || !rest || *hours > 23 || *rest > 59 || !text.empty()) return std::nullopt;
  const auto ahead = std::chrono::hours{*hours} + minutes{*rest};
  return is_behind ? -ahead : ahead;
}

std::optional<std::chrono::sys_time<milliseconds>> parse(std::string_view text, Grammar grammar) {
  const auto date = take_three(text, 4, "-");
  if (!date || !take_one_of(text, grammar == Grammar::iso8601 ? "Tt " : "Tt")) return std::nullopt;
  const auto [year, month, day] = *date;
  // The wall clock counts nanoseconds from 1970 in 64 bits, which end in 2262.
  if (grammar == Grammar::rfc3339 && (year < 1970 || year > 2261)) return std::nullopt;
  const auto calendar_day = std::chrono::year{year} / month / day;
  const auto time = take_three(text, 2, ":");
  if (!calendar_day.ok() || !time) return std::nullopt;
  const auto [hour, minute, second] = *time;
  if (hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const auto fraction = take_fraction(text, grammar);
  const auto ahead = parse_offset(text, grammar);
  if (!fraction || !ahead) return std::nullopt;
  return std::chrono::sys_days{calendar_day} + std::chrono::hours{hour} + minutes{minute} +
         std::chrono::seconds{second} + *fraction - *ahead;
}

}  // namespace

std::string rfc3339(WallTime time) {
  const auto ms = std::chrono::floor<milliseconds>(time);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(ms);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                     (ms - seconds).count());
}

std::optional<WallTime> parse_rfc3339(std::string_view text) {
  const auto time = parse(text, Grammar::rfc3339);
  return time ? std::optional<WallTime>(std::chrono::floor<std::chrono::seconds>(*time)) : std::nullopt;
}

std::optional<std::chrono::sys_time<milliseconds>> parse_iso8601(std::string_view text) {
  return parse(text, Grammar::iso8601);
}

}  // namespace tribune::base
