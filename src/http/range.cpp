#include "http/range.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/bytes.h"
#include "http/message.h"

namespace tribune::http {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

/// Digits only; larger numbers saturate, because a position beyond every body is valid.
std::optional<std::uint64_t> position(std::string_view digits) {
  if (digits.empty()) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    value = value > (kMax - digit) / 10 ? kMax : value * 10 + digit;
  }
  return value;
}

}  // namespace

std::optional<RequestedRange> parse_single_range(std::string_view range) {
  range = base::trimmed(range);
  constexpr std::string_view kUnit = "bytes=";
  if (range.size() < kUnit.size() || !equals_ignoring_case(range.substr(0, kUnit.size()), kUnit)) return std::nullopt;
  const auto spec = base::trimmed(range.substr(kUnit.size()));
  const auto dash = spec.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto before = spec.substr(0, dash);
  const auto after = spec.substr(dash + 1);
  RequestedRange requested;
  if (before.empty()) {
    requested.last = position(after);
    return requested.last ? std::optional(requested) : std::nullopt;
  }
  requested.first = position(before);
  if (!requested.first) return std::nullopt;
  if (after.empty()) return requested;
  requested.last = position(after);
  if (!requested.last || *requested.last < *requested.first) return std::nullopt;
  return requested;
}

RangeDecision decide_range(std::optional<std::string_view> range, std::uint64_t length) {
  if (!range) return WholeBody{};
  const auto requested = parse_single_range(*range);
  if (!requested) return WholeBody{};
  if (!requested->first) {
    const auto suffix = *requested->last;
    if (suffix == 0) return NotSatisfiable{};
    // Content-Range cannot describe a part of an empty body, and a non-zero suffix is satisfiable: the whole, empty
    // body.
    if (length == 0) return WholeBody{};
    return ByteRange{length - std::min(suffix, length), length - 1};
  }
  if (*requested->first >= length) return NotSatisfiable{};
  return ByteRange{*requested->first, std::min(requested->last.value_or(kMax), length - 1)};
}

std::optional<ContentRange> parse_content_range(std::string_view text) {
  constexpr std::string_view kUnit = "bytes ";
  if (!text.starts_with(kUnit)) return std::nullopt;
  const auto* at = text.data() + kUnit.size();
  const auto* end = text.data() + text.size();
  std::uint64_t numbers[3];
  constexpr std::string_view kAfter = "-/";
  for (std::size_t i = 0; i < 3; ++i) {
    const auto [next, wrong] = std::from_chars(at, end, numbers[i]);
    if (wrong != std::errc{}) return std::nullopt;
    at = next;
    if (i == 2) break;
    if (at == end || *at != kAfter[i]) return std::nullopt;
    ++at;
  }
  if (at != end || numbers[1] < numbers[0] || numbers[1] >= numbers[2]) return std::nullopt;
  return ContentRange{{numbers[0], numbers[1]}, numbers[2]};
}

std::string content_range(const ByteRange& range, std::uint64_t length) {
  return "bytes " + std::to_string(range.first) + '-' + std::to_string(range.last) + '/' + std::to_string(length);
}

}  // namespace tribune::http
