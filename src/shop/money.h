#pragma once
// Amounts of money: whole numbers of minor units (cents) with a currency. Values and pure functions.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tribune::shop {

/// `amount` is in minor units of `currency`, an ISO 4217 code ("EUR").
struct Money {
  std::int64_t amount = 0;
  std::string currency;
  bool operator==(const Money&) const = default;
};

/// The largest price, balance and total. WHY not more: up to 2^53 every JSON parser reads a whole number exactly
/// (RFC 8259 section 6), and a sum of a thousand of these still fits in 64 bits.
inline constexpr std::int64_t kMaxAmount = 1'000'000'000'000'000;

/// Whether the text has the form of an ISO 4217 code: three of A-Z.
bool is_currency(std::string_view text);

/// The amount times a quantity; nullopt below zero and above kMaxAmount.
std::optional<Money> times(const Money&, std::int64_t quantity);

/// "EUR 12.50", with the decimal places that ISO 4217 gives the currency; for people.
std::string to_text(const Money&);

}  // namespace tribune::shop
