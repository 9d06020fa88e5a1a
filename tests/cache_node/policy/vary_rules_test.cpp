#include "cache_node/policy/vary_rules.h"

#include <doctest/doctest.h>

using namespace tribune;
using namespace tribune::cache_node;

namespace {

const VaryRules rules{parse_vary_rule("demo/vod/* Accept-Language X-Device"),
                      parse_vary_rule("demo/* Accept-Language")};

Variant variant(const http::Headers& request, std::string path = "v1/seg.bin", std::string channel = "demo") {
  return variant_of(rules, contracts::Link{std::move(channel), "e1", std::move(path), "", 0}, request);
}
std::string key_of_fields(const http::Headers& request) {
  return object_key(object_key("demo/e1/v1/seg.bin"), variant(request)).text;
}

}  // namespace

TEST_CASE("a vary rule is a pattern and field names, without fields of the connection, conditions or credentials") {
  CHECK(parse_vary_rule("demo/* Accept-Language User-Agent").fields ==
        std::vector<std::string>{"Accept-Language", "User-Agent"});
  for (const char* bad : {"", "demo/*", "demo/* ", "demo/*  A", " A", "demo/* Accept-Encoding", "demo/* range",
                          "demo/* Connection", "demo/* X-Tribune-Peer", "demo/* If-None-Match", "demo/* Origin",
                          "demo/* A:b", "demo/* *", "demo/* Authorization"})
    CHECK_MESSAGE(parse_vary_rule(bad).pattern.empty(), bad);
}

TEST_CASE("requests with equivalent values in the fields of the rule share a key, and others have different keys") {
  CHECK(key_of_fields({}) == "demo/e1/v1/seg.bin");
  CHECK(key_of_fields({{"User-Agent", "one"}}) == "demo/e1/v1/seg.bin");
  CHECK(key_of_fields({{"Accept-Language", "de"}}).starts_with("demo/e1/v1/seg.bin#v"));
  CHECK(key_of_fields({{"Accept-Language", "de"}}) == key_of_fields({{"accept-language", " DE"}, {"Cookie", "a"}}));
  CHECK(key_of_fields({{"Accept-Language", "de, en;q=0.5"}}) ==
        key_of_fields({{"Accept-Language", "de"}, {"Accept-Language", "en;q=0.50"}}));
  CHECK(key_of_fields({{"Accept-Language", "de"}}) != key_of_fields({{"Accept-Language", "en"}}));
  CHECK(key_of_fields({{"Accept-Language", ""}}) != key_of_fields({}));
  CHECK(key_of_fields({{"Accept-Language", std::string(10'000, 'x')}}).size() < 60);
}

TEST_CASE("only the fields of the first matching rule are taken from a request") {
  const auto asked = variant({{"Accept-Language", "de"}, {"Cookie", "a"}, {"X-Device", "tv"}});
  REQUIRE(asked.fields.all().size() == 1);
  CHECK(asked.fields.first("Accept-Language") == "de");
  CHECK(field_list(asked) == "Accept-Language");
  CHECK(variant({{"X-Device", "tv"}, {"Accept-Language", "de"}}, "vod/a").fields.all().size() == 2);
  CHECK(variant({{"Accept-Language", "de"}}, "v1/seg.bin", "other").names.empty());
  CHECK(variant({{"Accept-Language", "de"}}, "v1/seg.bin", "other").key.empty());
  CHECK(has_variants(rules, "demo/e1/v1/seg.bin?n=1"));
  CHECK_FALSE(has_variants(rules, "other/e1/v1/seg.bin"));
}

TEST_CASE("only fields of Vary that are neither in the rule nor handled by the node are unlisted") {
  const auto untold = [](const char* vary) { return unlisted_fields({{"Vary", vary}}, variant({})); };
  for (const char* harmless :
       {"", "Accept-Encoding", "origin", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
        "ACCEPT-LANGUAGE, Accept-Encoding"})
    CHECK(untold(harmless).empty());
  CHECK(untold("Origin, User-Agent, Cookie") == std::vector<std::string>{"User-Agent", "Cookie"});
  CHECK(untold("*") == std::vector<std::string>{"*"});
  CHECK(unlisted_fields({{"Vary", "Accept-Encoding"}, {"Vary", "Accept-Language"}}, {}) ==
        std::vector<std::string>{"Accept-Language"});
}
