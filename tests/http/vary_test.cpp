#include "http/vary.h"

#include <doctest/doctest.h>

using namespace tribune::http;

TEST_CASE("the key of a variant has the values of the named fields, in any order and case of their names") {
  const Headers request{{"Accept-Language", "en;q=0.5, de"}, {"X-Device", "tv"}};
  CHECK(variant_key_by({"X-Device", "accept-language"}, request) ==
        variant_key_by({"Accept-Language", "x-device", "X-Device"}, request));
  CHECK(variant_key(Headers{{"Vary", "Accept-Language, X-Device"}}, request) ==
        variant_key_by({"X-Device", "Accept-Language"}, request));
  CHECK(variant_key_by({"Accept-Language"}, request) ==
        variant_key_by({"Accept-Language"}, Headers{{"Accept-Language", "DE,en; q=0.5"}}));
  CHECK(variant_key_by({"X-Device"}, request) != variant_key_by({"X-Device"}, Headers{{"X-Device", "TV"}}));
}

TEST_CASE("an absent field differs from an empty one, and fields cannot be confused") {
  CHECK(variant_key_by({"A"}, {}) != variant_key_by({"A"}, Headers{{"A", ""}}));
  CHECK(variant_key_by({"A", "B"}, Headers{{"A", "1"}}) != variant_key_by({"A", "B"}, Headers{{"B", "1"}}));
  CHECK(variant_key_by({}, Headers{{"A", "1"}}).empty());
  CHECK(variant_key(Headers{}, Headers{{"A", "1"}}).empty());
}

TEST_CASE("a response varies on anything when one of its Vary lines has a star") {
  CHECK(varies_on_anything({{"Vary", "Origin"}, {"Vary", "Accept , *"}}));
  CHECK_FALSE(varies_on_anything({{"Vary", "Origin"}}));
  CHECK_FALSE(varies_on_anything({}));
}
