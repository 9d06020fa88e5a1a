#include "http/date.h"

#include <array>
#include <chrono>
#include <cstdio>

#include "http/message.h"

namespace tribune::http {
namespace {

using std::chrono::days;
using std::chrono::seconds;

constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 7> kLongDays{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                    "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/// Reads a date from the left, case-insensitively (RFC 9111 section 4.2); after the first mismatch every step fails.
class DateReader {
 public:
  explicit DateReader(std::string_view text) : rest_(text) {}

  bool literal(std::string_view expected) {
    if (!begins_with(expected)) return fail();
    rest_.remove_prefix(expected.size());
    return true;
  }

  int number(std::size_t digits) {
    if (rest_.size() < digits) return fail();
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') return fail();
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(digits);
    return value;
  }

  template <std::size_t N>
  int one_of(const std::array<std::string_view, N>& names) {
    for (std::size_t i = 0; i < N; ++i) {
      if (begins_with(names[i])) {
        rest_.remove_prefix(names[i].size());
        return static_cast<int>(i);
      }
    }
    return fail();
  }

  bool starts_with(char c) const { return rest_.starts_with(c); }
  bool is_complete() const { return ok_ && rest_.empty(); }

 private:
  bool begins_with(std::string_view text) const { return equals_ignoring_case(rest_.substr(0, text.size()), text); }
  bool fail() {
    ok_ = false;
    return false;
  }
  std::string_view rest_;
  bool ok_ = true;
};

struct DateParts {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
};

void read_time(DateReader& in, DateParts& parts) {
  parts.hour = in.number(2);
  in.literal(":");
  parts.minute = in.number(2);
  in.literal(":");
  parts.second = in.number(2);
}

std::optional<DateParts> read_imf_fixdate(std::string_view text) {
  DateReader in(text);
  DateParts parts;
  in.one_of(kDays);
  in.literal(", ");
  parts.day = in.number(2);
  in.literal(" ");
  parts.month = in.one_of(kMonths) + 1;
  in.literal(" ");
  parts.year = in.number(4);
  in.literal(" ");
  read_time(in, parts);
  in.literal(" GMT");
  return in.is_complete() ? std::optional(parts) : std::nullopt;
}

std::optional<DateParts> read_rfc850(std::string_view text) {
  DateReader in(text);
  DateParts parts;
  in.one_of(kLongDays);
  in.literal(", ");
  parts.day = in.number(2);
  in.literal("-");
  parts.month = in.one_of(kMonths) + 1;
  in.literal("-");
  const int year = in.number(2);
  in.literal(" ");
  read_time(in, parts);
  in.literal(" GMT");
  // The RFC's window of 50 years needs the current date, and this library has no clock. POSIX uses 69 as the boundary.
  parts.year = year + (year < 69 ? 2000 : 1900);
  return in.is_complete() ? std::optional(parts) : std::nullopt;
}

std::optional<DateParts> read_asctime(std::string_view text) {
  DateReader in(text);
  DateParts parts;
  in.one_of(kDays);
  in.literal(" ");
  parts.month = in.one_of(kMonths) + 1;
  in.literal(" ");
  if (in.starts_with(' ')) {
    in.literal(" ");
    parts.day = in.number(1);
  } else {
    parts.day = in.number(2);
  }
  in.literal(" ");
  read_time(in, parts);
  in.literal(" ");
  parts.year = in.number(4);
  return in.is_complete() ? std::optional(parts) : std::nullopt;
}

std::optional<base::WallTime> time_of(const DateParts& parts) {
  if (parts.hour > 23 || parts.minute > 59 || parts.second > 60) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{parts.year},
                                         std::chrono::month{static_cast<unsigned>(parts.month)},
                                         std::chrono::day{static_cast<unsigned>(parts.day)}};
  if (!date.ok()) return std::nullopt;
  // Nanoseconds in 64 bits span 1677 to 2262. The year 9999 often means never: it becomes the latest time.
  if (parts.year >= 2262) return std::chrono::floor<seconds>(base::WallTime::max());
  if (parts.year <= 1677) return std::nullopt;
  return base::WallTime{std::chrono::sys_days{date}} + std::chrono::hours{parts.hour} +
         std::chrono::minutes{parts.minute} + seconds{parts.second};
}

}  // namespace

std::string format_date(base::WallTime time) {
  const auto day = std::chrono::floor<days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{std::chrono::floor<seconds>(time - day)};
  const auto weekday = std::chrono::weekday{day}.c_encoding();
  std::array<char, 64> text{};
  const int length =
      std::snprintf(text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d GMT", kDays[weekday].data(),
                    static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1].data(),
                    static_cast<int>(date.year()), static_cast<int>(clock.hours().count()),
                    static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()));
  return {text.data(), static_cast<std::size_t>(length)};
}

std::optional<base::WallTime> parse_date(std::string_view text) {
  auto parts = read_imf_fixdate(text);
  if (!parts) parts = read_rfc850(text);
  if (!parts) parts = read_asctime(text);
  return parts ? time_of(*parts) : std::nullopt;
}

}  // namespace tribune::http
