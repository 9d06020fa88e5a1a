#include "cache_node/policy/query_rules.h"

#include <doctest/doctest.h>

using namespace tribune;
using namespace tribune::cache_node;

namespace {
std::string key_of_query(const QueryRules& rules, std::string query, std::string channel = "demo") {
  return object_key(rules, contracts::Link{std::move(channel), "e1", "v1/seg", std::move(query), 0}).text;
}
}  // namespace

TEST_CASE("a rule is a pattern and the significant keys") {
  CHECK(parse_query_rule("demo/* v n").pattern == "demo/*");
  CHECK(parse_query_rule("demo/* v n").keys == std::vector<std::string>{"v", "n"});
  CHECK(parse_query_rule("demo/*").keys.empty());
  for (const char* bad : {"", " v", "demo/*  v", "demo/* "}) CHECK(parse_query_rule(bad).pattern.empty());
}

TEST_CASE("without a rule the whole query of the link is significant, except CMCD and _HLS_ keys") {
  CHECK(key_of_query({}, "") == "demo/e1/v1/seg");
  CHECK(key_of_query({}, "n=5&token=a") == "demo/e1/v1/seg?n=5&token=a");
  CHECK(key_of_query({}, "CMCD=bl%3D5&n=5&_HLS_msn=7") == "demo/e1/v1/seg?n=5");
  CHECK(key_of_query({}, "_HLS_skip=YES") == "demo/e1/v1/seg");
}

TEST_CASE("an empty query differs from no query, unless a rule names the significant keys") {
  CHECK(key_of_query({}, "~q=") != key_of_query({}, ""));
  CHECK(object_of({}, "demo/e1/v1/seg?~q=") == key_of_query({}, "~q="));
  CHECK(key_of_query({parse_query_rule("demo/*")}, "~q=") == "demo/e1/v1/seg");
  CHECK(key_of_query({parse_query_rule("other/*")}, "~q=") == key_of_query({}, "~q="));
}

TEST_CASE("the first matching rule determines the significant keys") {
  const QueryRules rules{parse_query_rule("demo/* n"), parse_query_rule("*")};
  CHECK(key_of_query(rules, "n=5&token=a") == "demo/e1/v1/seg?n=5");
  CHECK(key_of_query(rules, "token=a&n") == "demo/e1/v1/seg?n");
  CHECK(key_of_query(rules, "n=5&token=a", "other") == "other/e1/v1/seg");
  CHECK(object_of(rules, "demo/e1/v1/seg?token=a&n=5") == "demo/e1/v1/seg?n=5");
  CHECK(object_of(rules, "other/e1/v1/seg?n=5") == "other/e1/v1/seg");
  CHECK(object_of(rules, "demo/e1/v1/seg") == "demo/e1/v1/seg");
}
