#include "cache_node/keep_rules.h"

#include <doctest/doctest.h>

using namespace tribune::cache_node;
using namespace std::chrono_literals;

TEST_CASE("a rule is a pattern and a time") {
  const auto rule = parse_keep_rule("demo/*.key 10min");
  REQUIRE(rule);
  CHECK(rule->pattern == "demo/*.key");
  CHECK(rule->time == 600s);
  CHECK(parse_keep_rule("* 0s")->time == 0s);
  for (const char* bad : {"", "*", " 10s", "*.key  10s", "*.key 10", "*.key 500ms", "*.key -1s", "*.key 9000h"}) CHECK_FALSE(parse_keep_rule(bad));
}

TEST_CASE("the first rule whose pattern fits channel and path says how long") {
  const KeepRules rules{{"demo/keys/*", 5s}, {"*.key", 60s}, {"*/init*.mp4", 3600s}, {"demo/a*b*c", 7s}};
  CHECK(keep_time(rules, "demo", "keys/1.key") == 5s);
  CHECK(keep_time(rules, "other", "keys/1.key") == 60s);
  CHECK(keep_time(rules, "demo", "v1/init-2.mp4") == 3600s);
  CHECK(keep_time(rules, "demo", "axbxbxc") == 7s);
  CHECK_FALSE(keep_time(rules, "demo", "axc"));
  CHECK_FALSE(keep_time(rules, "demo", "v1/seg1.ts"));
  CHECK_FALSE(keep_time(rules, "demo", "1.key.ts"));
  CHECK_FALSE(keep_time({}, "demo", "1.key"));
}
