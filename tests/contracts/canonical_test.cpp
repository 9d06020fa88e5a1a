#include "contracts/canonical.h"

#include <doctest/doctest.h>

#include <string>

using namespace tribune::contracts;

TEST_CASE("ids are accepted up to their maximum length, and with their characters only") {
  CHECK_FALSE(is_short_id(""));
  CHECK(is_short_id("a"));
  CHECK(is_short_id(std::string(16, 'z')));
  CHECK_FALSE(is_short_id(std::string(17, 'z')));
  CHECK_FALSE(is_id(""));
  CHECK(is_id("0"));
  CHECK(is_id(std::string(64, '9')));
  CHECK_FALSE(is_id(std::string(65, '9')));
  for (const char* good : {"a", "z", "0", "9", "a.b", "a_b", "a-b", "a-"}) CHECK_MESSAGE(is_id(good), good);
  for (const char* bad : {".a", "_a", "-a", "A", "aZ", "a/b", "a b", "a`", "a{", "a:", "\xc3\xa4"})
    CHECK_MESSAGE(!is_id(bad), bad);
  for (const char* bad : {"A", "a.", "a-", "a_", "`", "{", "/", ":"}) CHECK_MESSAGE(!is_short_id(bad), bad);
}

TEST_CASE("a decimal has one spelling and at most 15 digits") {
  CHECK(read_decimal("0") == 0);
  CHECK(read_decimal("9") == 9);
  CHECK(read_decimal("10") == 10);
  CHECK(read_decimal("999999999999999") == 999'999'999'999'999);
  for (const char* bad : {"", "1000000000000000", "00", "01", "+1", "-1", "1 ", " 1", "1x", "x", "1.0"})
    CHECK_MESSAGE(!read_decimal(bad), bad);
}

TEST_CASE("visible ASCII begins after the space and ends before DEL") {
  CHECK(is_visible_ascii(""));
  CHECK(is_visible_ascii("!~"));
  for (const char* bad : {" ", "\x1f", "\x7f", "\x80", "a\nb"}) CHECK_FALSE(is_visible_ascii(bad));
}
