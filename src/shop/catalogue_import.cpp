#include "shop/catalogue_import.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "base/json.h"
#include "base/rfc3339.h"

namespace tribune::shop {
namespace {

struct ValidityUnit {
  std::string_view name;
  std::int64_t seconds;
};

// In descending order: the first one that divides a duration without remainder is used to write it.
constexpr std::array<ValidityUnit, 4> kValidityUnits{{{"d", 86'400}, {"h", 3'600}, {"min", 60}, {"s", 1}}};

constexpr std::size_t kMaxExtractBytes = 64;

}  // namespace

void ImportErrorList::add(std::size_t offset, std::string text) {
  if (++count_ <= kMaxImportErrors)
    kept_.push_back({offset, std::move(text)});
  else if (count_ == kMaxImportErrors + 1)
    first_omitted_ = offset;
}

std::vector<ImportError> ImportErrorList::with_lines(std::string_view file) && {
  std::ranges::stable_sort(kept_, {}, &Place::offset);
  std::vector<ImportError> errors;
  std::size_t line = 1, passed = 0;
  for (auto& place : kept_) {
    const auto end = std::min(place.offset, file.size());
    line += static_cast<std::size_t>(std::ranges::count(file.substr(passed, end - passed), '\n'));
    passed = end;
    errors.push_back({line, std::move(place.text)});
  }
  if (count_ > kMaxImportErrors)
    errors.push_back({base::json::position_of(file, first_omitted_).line,
                      "and " + std::to_string(count_ - kMaxImportErrors) + " more errors"});
  return errors;
}

std::string quoted_extract(std::string_view text) {
  const bool is_cut = text.size() > kMaxExtractBytes;
  if (is_cut) {
    auto end = kMaxExtractBytes;  // not within a character
    while (end > kMaxExtractBytes - 4 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    text = text.substr(0, end);
  }
  return '"' + base::json::escape(text) + (is_cut ? "…\"" : "\"");
}

std::string_view without_byte_order_mark(std::string_view text) {
  return text.starts_with("\xef\xbb\xbf") ? text.substr(3) : text;
}

std::optional<std::chrono::seconds> parse_validity(std::string_view text) {
  if (text.starts_with('-')) return std::nullopt;
  std::int64_t number = 0;
  const auto* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (read.ec != std::errc{}) return std::nullopt;
  const std::string_view name(read.ptr, static_cast<std::size_t>(end - read.ptr));
  const auto* unit = std::ranges::find(kValidityUnits, name, &ValidityUnit::name);
  if (unit == kValidityUnits.end()) return std::nullopt;
  if (number > std::numeric_limits<std::int64_t>::max() / unit->seconds) return std::nullopt;
  return std::chrono::seconds(number * unit->seconds);
}

std::string validity_text(std::chrono::seconds duration) {
  for (const auto& unit : kValidityUnits)
    if (duration.count() != 0 && duration.count() % unit.seconds == 0)
      return std::to_string(duration.count() / unit.seconds) + std::string(unit.name);
  return "0s";
}

std::optional<base::WallTime> parse_catalogue_time(std::string_view text) {
  if (!base::parse_rfc3339(text)) return std::nullopt;
  const auto time = base::parse_iso8601(text);
  return time ? std::optional<base::WallTime>(*time) : std::nullopt;
}

std::string catalogue_time_text(base::WallTime time) {
  auto text = base::rfc3339(time);
  if (text.ends_with(".000Z")) text.replace(text.size() - 5, 5, "Z");
  return text;
}

}  // namespace tribune::shop
