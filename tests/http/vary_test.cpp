#include "http/vary.h"

#include <doctest/doctest.h>

using namespace tribune::http;

TEST_CASE("the key of a variant has the values of the named fields, whatever the order and case of the names") {
  const Headers request{{"Accept-Language", "en;q=0.5, de"}, {"X-Device", "tv"}};
  CHECK(variant_key_by({"X-Device", "accept-language"}, request) ==
        variant_key_by({"Accept-Language", "x-device", "X-Device"}, request));
  CHECK(variant_key(Headers{{"Vary", "Accept-Language, X-Device"}}, request) ==
        variant_key_by({"X-Device", "Accept-Language"}, request));
  CHECK(variant_key_by({"Accept-Language"}, request) ==
        variant_key_by({"Accept-Language"}, Headers{{"Accept-Language", "DE,en; q=0.5"}}));
  CHECK(variant_key_by({"X-Device"}, request) != variant_key_by({"X-Device"}, Headers{{"X-Device", "TV"}}));
}

TEST_CASE("a field that is absent is not one that is empty, and no field may pass for another") {
  CHECK(variant_key_by({"A"}, {}) != variant_key_by({"A"}, Headers{{"A", ""}}));
  CHECK(variant_key_by({"A", "B"}, Headers{{"A", "1"}}) != variant_key_by({"A", "B"}, Headers{{"B", "1"}}));
  CHECK(variant_key_by({}, Headers{{"A", "1"}}).empty());
  CHECK(variant_key(Headers{}, Headers{{"A", "1"}}).empty());
}

TEST_CASE("an answer varies on anything when any of its Vary lines says so") {
  CHECK(varies_on_anything({{"Vary", "Origin"}, {"Vary", "Accept , *"}}));
  CHECK_FALSE(varies_on_anything({{"Vary", "Origin"}}));
  CHECK_FALSE(varies_on_anything({}));
}
