#include "cache_node/balancer_link/readiness.h"

#include <doctest/doctest.h>

using namespace tribune::cache_node;

namespace {
ReadinessFacts all_well() { return {true, true, "", "", ""}; }

std::string reason(const ReadinessFacts& facts) {
  const auto ready = readiness(facts);
  return ready ? "" : ready.error().text;
}
}  // namespace

TEST_CASE("a node that is serving and has a channel map and no problem is ready") {
  CHECK(readiness(all_well()).has_value());
}

TEST_CASE("each condition alone makes the node unready, with its own reason") {
  auto facts = all_well();
  facts.is_serving = false;
  CHECK(reason(facts) == "not serving");
  facts = all_well();
  facts.has_channel_map = false;
  CHECK(reason(facts) == "no channel map: no balancer has answered a heartbeat yet");
  facts = all_well();
  facts.store_problem = "no space left";
  CHECK(reason(facts) == "no space left");
  facts = all_well();
  facts.key_problem = "no key is valid for signing";
  CHECK(reason(facts) == "no key is valid for signing");
  facts = all_well();
  facts.balancer_unfit = "too many errors";
  CHECK(reason(facts) == "too many errors");
}

TEST_CASE("of several reasons the node reports the earliest one in the order of its start") {
  CHECK(reason({false, false, "store", "keys", "unfit"}) == "not serving");
  CHECK(reason({true, false, "store", "keys", "unfit"}).starts_with("no channel map: "));
  CHECK(reason({true, true, "store", "keys", "unfit"}) == "store");
  CHECK(reason({true, true, "", "keys", "unfit"}) == "keys");
}
