#include "base/encoding.h"

#include <doctest/doctest.h>

#include <string>

using namespace tribune;

TEST_CASE("a number of 64 bits has one text of sixteen hexadecimal digits") {
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{0x0123456789abcdef}, ~std::uint64_t{0}}) {
    const auto text = base::to_hex64(value);
    CHECK(text.size() == 16);
    CHECK(base::from_hex64(text) == value);
  }
  CHECK(base::to_hex64(0xabc) == "0000000000000abc");
  for (const auto* text : {"", "0", "000000000000000", "00000000000000000", "0123456789ABCDEF", "0x23456789abcdef",
                           " 123456789abcdef", "-123456789abcdef", "0123456789abcdeg"}) {
    CAPTURE(text);
    CHECK_FALSE(base::from_hex64(text).has_value());
  }
}
