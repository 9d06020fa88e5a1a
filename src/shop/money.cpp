#include "shop/money.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace tribune::shop {
namespace {

// ISO 4217, list one of 2024: the currencies with no decimal places and with three. All others are written with two,
// also CLF and UYW, which have four: they are units of account, in which nobody pays.
constexpr std::array<std::string_view, 17> kWithoutDecimals{"BIF", "CLP", "DJF", "GNF", "ISK", "JPY",
                                                            "KMF", "KRW", "PYG", "RWF", "UGX", "UYI",
                                                            "VND", "VUV", "XAF", "XOF", "XPF"};
constexpr std::array<std::string_view, 7> kWithThreeDecimals{"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"};

int decimals_of(std::string_view currency) {
  if (std::ranges::find(kWithoutDecimals, currency) != kWithoutDecimals.end()) return 0;
  return std::ranges::find(kWithThreeDecimals, currency) != kWithThreeDecimals.end() ? 3 : 2;
}

}  // namespace

bool is_currency(std::string_view text) {
  return text.size() == 3 && std::ranges::all_of(text, [](char c) { return c >= 'A' && c <= 'Z'; });
}

std::optional<Money> times(const Money& price, std::int64_t quantity) {
  if (price.amount < 0 || price.amount > kMaxAmount || quantity < 0) return std::nullopt;
  if (price.amount != 0 && quantity > kMaxAmount / price.amount) return std::nullopt;
  return Money{price.amount * quantity, price.currency};
}

std::string to_text(const Money& money) {
  // WHY unsigned: the smallest 64-bit number has no counterpart above zero.
  const auto amount = static_cast<std::uint64_t>(money.amount);
  const auto size = money.amount < 0 ? 0 - amount : amount;
  const auto* sign = money.amount < 0 ? "-" : "";
  const auto decimals = decimals_of(money.currency);
  if (decimals == 0) return fmt::format("{} {}{}", money.currency, sign, size);
  const std::uint64_t unit = decimals == 3 ? 1'000 : 100;
  return fmt::format("{} {}{}.{:0{}}", money.currency, sign, size / unit, size % unit, decimals);
}

}  // namespace tribune::shop
