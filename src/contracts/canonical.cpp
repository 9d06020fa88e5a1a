#include "contracts/canonical.h"

#include <algorithm>

namespace tribune::contracts {
namespace {

bool is_low_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

}  // namespace

std::optional<std::int64_t> read_decimal(std::string_view text) {
  if (text.empty() || text.size() > 15 || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  std::int64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

bool is_short_id(std::string_view text) {
  return !text.empty() && text.size() <= 16 && std::all_of(text.begin(), text.end(), is_low_alnum);
}

bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= 64 && is_low_alnum(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_low_alnum(c) || c == '.' || c == '_' || c == '-'; });
}

bool is_visible_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace tribune::contracts
