#include "shop/money.h"

#include <doctest/doctest.h>

#include <limits>

using namespace tribune::shop;

TEST_CASE("a currency has three capital letters") {
  for (const auto* text : {"EUR", "RUB", "JPY", "XXX"}) CHECK(is_currency(text));
  for (const auto* text : {"", "EU", "EURO", "eur", "Eur", "E1R", "EU ", " EU", "\xd0\x95U", "EU\n"})
    CHECK_FALSE(is_currency(text));
  CHECK_FALSE(is_currency(std::string_view("EU\0", 3)));
}

TEST_CASE("an amount is multiplied up to the largest one") {
  CHECK(times({250, "EUR"}, 3) == Money{750, "EUR"});
  CHECK(times({250, "EUR"}, 0) == Money{0, "EUR"});
  CHECK(times({0, "EUR"}, std::numeric_limits<std::int64_t>::max()) == Money{0, "EUR"});
  CHECK(times({kMaxAmount, "EUR"}, 1) == Money{kMaxAmount, "EUR"});
  CHECK(times({1, "EUR"}, kMaxAmount) == Money{kMaxAmount, "EUR"});
  CHECK(times({kMaxAmount / 1'000, "EUR"}, 1'000) == Money{kMaxAmount, "EUR"});
}

TEST_CASE("a product beyond the largest amount or of a number below zero is none") {
  constexpr auto kLargest = std::numeric_limits<std::int64_t>::max();
  constexpr auto kSmallest = std::numeric_limits<std::int64_t>::min();
  for (const auto quantity : {std::int64_t{2}, std::int64_t{1'000}, kLargest})
    CHECK_FALSE(times({kMaxAmount, "EUR"}, quantity).has_value());
  for (const auto amount : {kMaxAmount + 1, kLargest}) CHECK_FALSE(times({amount, "EUR"}, 1).has_value());
  for (const auto amount : {std::int64_t{-1}, kSmallest}) {
    CHECK_FALSE(times({amount, "EUR"}, 1).has_value());
    CHECK_FALSE(times({amount, "EUR"}, -1).has_value());
    CHECK_FALSE(times({amount, "EUR"}, 0).has_value());
  }
  for (const auto quantity : {std::int64_t{-1}, kSmallest}) CHECK_FALSE(times({5, "EUR"}, quantity).has_value());
  CHECK_FALSE(times({kMaxAmount / 1'000 + 1, "EUR"}, 1'000).has_value());
}

TEST_CASE("an amount is written with the decimal places of its currency") {
  CHECK(to_text({1'250, "EUR"}) == "EUR 12.50");
  CHECK(to_text({5, "EUR"}) == "EUR 0.05");
  CHECK(to_text({0, "USD"}) == "USD 0.00");
  CHECK(to_text({kMaxAmount, "RUB"}) == "RUB 10000000000000.00");
  for (const std::string currency :
       {"JPY", "KRW", "VND", "CLP", "ISK", "UGX", "XAF", "XOF", "PYG", "RWF", "BIF", "DJF", "GNF", "KMF", "VUV", "XPF"})
    CHECK(to_text({1'250, currency}) == currency + " 1250");
  for (const std::string currency : {"BHD", "KWD", "OMR", "JOD", "TND", "IQD", "LYD"})
    CHECK(to_text({12'005, currency}) == currency + " 12.005");
}

TEST_CASE("an amount below zero is written with one sign") {
  CHECK(to_text({-1'250, "EUR"}) == "EUR -12.50");
  CHECK(to_text({-5, "EUR"}) == "EUR -0.05");
  CHECK(to_text({-5, "JPY"}) == "JPY -5");
  CHECK(to_text({std::numeric_limits<std::int64_t>::min(), "EUR"}) == "EUR -92233720368547758.08");
}
