#include "balancer/routing.h"

#include <doctest/doctest.h>

#include "balancer/tables.h"

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;
using test::node;
using test::table;

namespace {

std::string choice(const NodeTable& nodes, std::string_view preferred = "") {
  const auto made = choose_node(nodes, {preferred});
  return (made.node ? made.node->address->id : "-") + " " + std::string(word(made.reason));
}

}  // namespace

TEST_CASE("The first usable node of the list serves") {
  CHECK(choice(table({node("a"), node("b")})) == "a first_usable");
  CHECK(choice(table({node("a", NodeCondition::down), node("b")})) == "b first_usable");
  CHECK(choice(table({node("a", NodeCondition::unhealthy), node("b")})) == "b first_usable");
}

TEST_CASE("A node that was not heard since the start keeps its place in the list") {
  CHECK(choice(table({node("a", NodeCondition::unheard), node("b")})) == "a first_usable");
}

TEST_CASE("The cache that the client named serves while it is usable") {
  const auto nodes = table({node("a"), node("b"), node("c", NodeCondition::down)});
  CHECK(choice(nodes, "b") == "b client_cache");
  CHECK(choice(nodes, "c") == "a first_usable");
  CHECK(choice(nodes, "unknown") == "a first_usable");
}

TEST_CASE("If every node looks bad the least bad serves") {
  auto early = node("early", NodeCondition::down), late = node("late", NodeCondition::down);
  early.last_heard = base::SteadyTime{1s};
  late.last_heard = base::SteadyTime{2s};
  CHECK(choice(table({early, late})) == "late least_bad");
  CHECK(choice(table({early, node("unwell", NodeCondition::unhealthy), late})) == "unwell least_bad");
}

TEST_CASE("Without an address no node serves") {
  CHECK(choice(table({})) == "- no_node");
  auto nameless = node("a", NodeCondition::unheard);
  nameless.address = std::make_shared<NodeAddress>(NodeAddress{"a", ""});
  CHECK(choice(table({nameless})) == "- no_node");
  CHECK(choice(table({nameless, node("b", NodeCondition::down)})) == "b least_bad");
}
