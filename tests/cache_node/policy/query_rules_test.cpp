#include "cache_node/policy/query_rules.h"

#include <doctest/doctest.h>

using namespace tribune;
using namespace tribune::cache_node;

namespace {
std::string key(const QueryRules& rules, std::string query, std::string channel = "demo") {
  return object_key(rules, contracts::Link{std::move(channel), "e1", "v1/seg", std::move(query), 0}).text;
}
}  // namespace

TEST_CASE("a rule is a pattern and the keys that count") {
  CHECK(parse_query_rule("demo/* v n").pattern == "demo/*");
  CHECK(parse_query_rule("demo/* v n").keys == std::vector<std::string>{"v", "n"});
  CHECK(parse_query_rule("demo/*").keys.empty());
  for (const char* bad : {"", " v", "demo/*  v", "demo/* "}) CHECK(parse_query_rule(bad).pattern.empty());
}

TEST_CASE("without a rule the whole query of the link counts, but for CMCD and _HLS_ keys") {
  CHECK(key({}, "") == "demo/e1/v1/seg");
  CHECK(key({}, "n=5&token=a") == "demo/e1/v1/seg?n=5&token=a");
  CHECK(key({}, "CMCD=bl%3D5&n=5&_HLS_msn=7") == "demo/e1/v1/seg?n=5");
  CHECK(key({}, "_HLS_skip=YES") == "demo/e1/v1/seg");
}

TEST_CASE("an empty query is not the same object as none, unless a rule says which keys count") {
  CHECK(key({}, "~q=") != key({}, ""));
  CHECK(object_of({}, "demo/e1/v1/seg?~q=") == key({}, "~q="));
  CHECK(key({parse_query_rule("demo/*")}, "~q=") == "demo/e1/v1/seg");
  CHECK(key({parse_query_rule("other/*")}, "~q=") == key({}, "~q="));
}

TEST_CASE("the first rule that fits says which keys count") {
  const QueryRules rules{parse_query_rule("demo/* n"), parse_query_rule("*")};
  CHECK(key(rules, "n=5&token=a") == "demo/e1/v1/seg?n=5");
  CHECK(key(rules, "token=a&n") == "demo/e1/v1/seg?n");
  CHECK(key(rules, "n=5&token=a", "other") == "other/e1/v1/seg");
  CHECK(object_of(rules, "demo/e1/v1/seg?token=a&n=5") == "demo/e1/v1/seg?n=5");
  CHECK(object_of(rules, "other/e1/v1/seg?n=5") == "other/e1/v1/seg");
  CHECK(object_of(rules, "demo/e1/v1/seg") == "demo/e1/v1/seg");
}
