#include "base/rendezvous.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

using tribune::base::rendezvous_hash;
using tribune::base::rendezvous_order;
using tribune::base::RendezvousCandidate;

namespace {

std::map<std::string_view, int> shares(const std::vector<RendezvousCandidate>& candidates, int keys) {
  std::map<std::string_view, int> count;
  for (int i = 0; i < keys; ++i)
    ++count[candidates[rendezvous_order(candidates, "match/e1/720p/seg" + std::to_string(i) + ".ts").front()].id];
  return count;
}

}  // namespace

TEST_CASE("every node determines the same owner, in whatever order it knows the nodes") {
  const std::vector<RendezvousCandidate> one = {{"a"}, {"b"}, {"c"}, {"d"}};
  const std::vector<RendezvousCandidate> other = {{"d"}, {"b"}, {"a"}, {"c"}};
  for (int i = 0; i < 200; ++i) {
    const auto key = "key" + std::to_string(i);
    const auto first = rendezvous_order(one, key);
    const auto second = rendezvous_order(other, key);
    REQUIRE(first.size() == 4);
    for (std::size_t place = 0; place < 4; ++place) CHECK(one[first[place]].id == other[second[place]].id);
  }
}

TEST_CASE("a node that leaves moves only its own keys, each to the next node in its order") {
  const std::vector<RendezvousCandidate> before = {{"a"}, {"b"}, {"c"}, {"d"}};
  const std::vector<RendezvousCandidate> after = {{"a"}, {"b"}, {"d"}};
  for (int i = 0; i < 500; ++i) {
    const auto key = "key" + std::to_string(i);
    const auto line = rendezvous_order(before, key);
    const auto expected = before[line[0]].id == "c" ? before[line[1]].id : before[line[0]].id;
    CHECK(after[rendezvous_order(after, key).front()].id == expected);
  }
}

TEST_CASE("keys are shared evenly, or by the weights") {
  for (const auto& share : shares({{"a"}, {"b"}, {"c"}, {"d"}}, 8000)) {
    INFO(share.first);
    CHECK(share.second > 1800);
    CHECK(share.second < 2200);
  }
  auto weighted = shares({{"small", 1}, {"large", 3}}, 8000);
  CHECK(weighted["small"] > 1800);
  CHECK(weighted["small"] < 2200);
  CHECK(weighted["large"] == 8000 - weighted["small"]);
}

TEST_CASE("a node without weight owns nothing, and without nodes there is no owner") {
  const auto order = rendezvous_order({{"a", 0}, {"b", 1}, {"c", -1}}, "key");
  CHECK(order == std::vector<std::size_t>{1});
  CHECK(rendezvous_order({}, "key").empty());
}

TEST_CASE("the order is the same in every version, so that nodes of different versions agree on owners") {
  CHECK(rendezvous_hash("a", "bc") != rendezvous_hash("ab", "c"));
  CHECK(rendezvous_hash("node-1", "match/e1/seg1.ts") == 9465955390895750059ull);
}
