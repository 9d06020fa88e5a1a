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

TEST_CASE("a comma separates members only in fields that are lists, and outside of quotes") {
  const auto key = [](std::string_view name, std::string_view value) {
    return variant_key_by({std::string(name)}, Headers{{std::string(name), std::string(value)}});
  };
  CHECK(key("Accept", "a, b") == key("Accept", "a,b"));
  CHECK(key("Cookie", "user=a, b") != key("Cookie", "user=a,b"));
  CHECK(key("Cookie", "user=a,") != key("Cookie", "user=a"));
  CHECK(key("User-Agent", "x (a, b)") != key("User-Agent", "x (a,b)"));
  CHECK(key("X-Tenant", R"("a, b")") != key("X-Tenant", R"("a,b")"));
  CHECK(key("X-Tenant", R"("a\", b", c)") == key("X-Tenant", R"("a\", b",c)"));
}

TEST_CASE("the weight of a language is the parameter that is named q") {
  const auto key = [](std::string_view value) {
    return variant_key_by({"Accept-Language"}, Headers{{"Accept-Language", std::string(value)}});
  };
  CHECK(key("de;q=0.5, en") == key("en;q=1, de ; Q=0.500"));
  CHECK(key("de;seq=0.5") == key("de"));
  CHECK(key("de;level=1;q=0.5") == key("de;q=0.5"));
  CHECK(key("de;q=0x1") == key("de"));
  CHECK(key("de;q=1.001") == key("de"));
  CHECK(key("de;q=.5") == key("de"));
}

TEST_CASE("a list with more members than a client needs is compared as it was sent") {
  std::string many;
  for (int i = 0; i < 7'000; ++i) many += "a,";
  const auto key = [](std::string_view name, const std::string& value) {
    return variant_key_by({std::string(name)}, Headers{{std::string(name), value}});
  };
  CHECK(key("Accept-Language", many) == "accept-language=" + many + "\n");
  CHECK(key("Accept", many) == "accept=" + many + "\n");
  CHECK(preferred_language({{"Accept-Language", many}}).empty());
}
