#include "cache_node/policy/retention_rules.h"

#include <doctest/doctest.h>

using namespace tribune::cache_node;
using namespace std::chrono_literals;

namespace {
Retention timed(std::chrono::seconds time) { return {Retention::By::time, time}; }
const Retention kLife{Retention::By::life, 0s}, kOrigin{Retention::By::origin, 0s}, kListed;
}  // namespace

TEST_CASE("a rule is one or more patterns and a time, life or origin") {
  const auto rules = parse_keep_rules("demo/*.key 10min");
  REQUIRE(rules.size() == 1);
  CHECK(rules[0].pattern == "demo/*.key");
  CHECK(rules[0].retention == timed(600s));
  CHECK(parse_keep_rules("* 0s").at(0).retention == timed(0s));
  CHECK(parse_keep_rules("* life").at(0).retention == kLife);
  const auto two = parse_keep_rules("a/* b/* origin");
  REQUIRE(two.size() == 2);
  CHECK(two[1].pattern == "b/*");
  CHECK(two[0].retention == kOrigin);
  CHECK(two[1].retention == kOrigin);
  for (const char* bad : {"", "*", " 10s", "*.key  10s", "a  b 10s", "*.key 10", "*.key 500ms", "*.key -1s",
                          "*.key 9000h", "*.key forever", "origin"})
    CHECK(parse_keep_rules(bad).empty());
}

TEST_CASE("the first rule whose pattern matches channel and path applies") {
  const RetentionRules rules{
      {"demo/keys/*", timed(5s)}, {"*.key", timed(60s)}, {"*/init*.mp4", timed(3600s)}, {"demo/a*b*c", timed(7s)}};
  CHECK(retention_of(rules, "demo", "keys/1.key") == timed(5s));
  CHECK(retention_of(rules, "other", "keys/1.key") == timed(60s));
  CHECK(retention_of(rules, "demo", "v1/init-2.mp4") == timed(3600s));
  CHECK(retention_of(rules, "demo", "axbxbxc") == timed(7s));
  CHECK(retention_of(rules, "demo", "axc") == kListed);
  CHECK(retention_of(rules, "demo", "v1/seg1.ts") == kListed);
  CHECK(retention_of(rules, "demo", "1.key.ts") == kListed);
  CHECK(retention_of({}, "demo", "1.key") == kListed);
}

TEST_CASE(
    "by the built-in rules segments and keys are immutable, playlists are revalidated, and other paths have no rule") {
  const auto& rules = built_in_keep_rules();
  CHECK(retention_of(rules, "demo", "v1/seg1.ts") == kLife);
  CHECK(retention_of(rules, "demo", "v1/init.mp4") == kLife);
  CHECK(retention_of(rules, "demo", "1.key") == kLife);
  CHECK(retention_of(rules, "demo", "v1/index.m3u8") == timed(0s));
  CHECK(retention_of(rules, "demo", "v1/segment/1") == kListed);
}
