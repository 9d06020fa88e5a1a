#include "balancer/routing/nodes_to_ping.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "balancer/tables.h"
#include "base/ip_address.h"

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;
using test::in_group;
using test::table;
using test::view_with;

namespace {

/// The groups of the listed nodes, in the order of the list.
std::string groups_to_ping(const NodeTable& nodes, const RoutingView& view, std::string_view client) {
  RoutingQuestion question;
  question.client = base::parse_ip(client);
  question.channel = "demo";
  question.now = base::SteadyTime{1h};
  std::string text;
  for (const auto* node : nodes_to_ping(nodes, view, question)) text += node->group_id() + " ";
  return text;
}

constexpr const char* kStadiumZone = R"({"zones": [
  {"name": "town", "group": "city", "prefixes": ["10.0.0.0/8"]},
  {"name": "west", "group": "stadium", "prefixes": ["10.1.0.0/16"], "fallback": ["city"], "deep": true}]})";

}  // namespace

TEST_CASE("the nodes of the client's zones are listed first, then a node of each group that a receipt opens") {
  const auto nodes = table({in_group("c1", "city"), in_group("s1", "stadium"), in_group("s2", "stadium"),
                            in_group("s3", "stadium"), in_group("open", "open")});
  const auto view = view_with(kStadiumZone);
  CHECK(groups_to_ping(nodes, view, "10.1.2.3") == "stadium stadium city open ");
  CHECK(groups_to_ping(nodes, view, "10.2.2.3") == "city open stadium ");
  CHECK(groups_to_ping(nodes, view, "192.0.2.7") == "open stadium city ");
  CHECK(groups_to_ping(nodes, {}, "192.0.2.7") == "city stadium stadium open ");
}

TEST_CASE("nodes that take no viewers are not listed") {
  auto drained = in_group("s1", "stadium");
  drained.draining_since = base::SteadyTime{};
  auto without_url = test::node("d");
  without_url.address = std::make_shared<NodeAddress>(NodeAddress{"d", ""});
  const auto nodes = table({drained, in_group("s2", "stadium", NodeCondition::down),
                            in_group("u", "other", NodeCondition::unhealthy), without_url, in_group("c1", "city")});
  CHECK(groups_to_ping(nodes, {}, "192.0.2.7") == "city ");
  CHECK(groups_to_ping(nodes, view_with(kStadiumZone), "192.0.2.7") == "city ");
  CHECK(groups_to_ping(table({}), {}, "192.0.2.7").empty());
}

TEST_CASE("a list has at most eight nodes, of which at most four are from closed groups") {
  std::vector<NodeState> nodes;
  std::string zones;
  for (int i = 0; i < 10; ++i) {
    const auto number = std::to_string(i);
    nodes.push_back(in_group("open" + number, "open" + number));
    nodes.push_back(in_group("closed" + number, "closed" + number));
    zones += (i ? "," : "") + (R"({"name":"z)" + number + R"(","group":"closed)" + number + R"(","prefixes":["10.)" +
                               number + R"(.0.0/16"])" + (i == 9 ? R"(,"deep":true})" : "}"));
  }
  const auto all = table(std::move(nodes));
  const auto view = view_with(R"({"zones": [)" + zones + "]}");
  CHECK(groups_to_ping(all, view, "192.0.2.7") == "open0 open1 open2 open3 closed9 closed0 closed1 closed2 ");
  CHECK(groups_to_ping(all, view, "10.3.0.1") == "closed3 open0 open1 open2 closed9 closed0 closed1 closed2 ");
  CHECK(groups_to_ping(all, {}, "192.0.2.7") == "open0 closed0 open1 closed1 open2 closed2 open3 closed3 ");
}

TEST_CASE("every group has its first node in the list before a group has a second one") {
  const auto nodes =
      table({in_group("a1", "a"), in_group("a2", "a"), in_group("a3", "a"), in_group("b1", "b"), in_group("b2", "b"),
             in_group("c1", "c"), in_group("d1", "d"), in_group("e1", "e"), in_group("f1", "f"), in_group("g1", "g")});
  CHECK(groups_to_ping(nodes, {}, "192.0.2.7") == "a a b c d e f g ");
}
