#include "balancer/routing/node_selection.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "balancer/tables.h"
#include "base/ip_address.h"

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;
using test::in_group;
using test::node;
using test::table;
using test::view_with;

namespace {

const base::SteadyTime kSelectionTime{1h};

RoutingQuestion from(std::string_view client) {
  RoutingQuestion question;
  question.client = base::parse_ip(client);
  question.channel = "demo";
  question.now = kSelectionTime;
  return question;
}

std::string choice(const NodeTable& nodes, RoutingQuestion question, const RoutingView& view = {}) {
  question.now = kSelectionTime;
  const auto made = choose_node(nodes, view, question);
  return (made.node ? made.node->address->id : "-") + " " + std::string(to_string(made.reason));
}

std::string choice(const NodeTable& nodes, std::string_view named = "") {
  return choice(nodes, RoutingQuestion{.channel = "demo", .named = named});
}

constexpr const char* kZones = R"({"zones": [
  {"name": "west", "group": "stadium", "prefixes": ["10.1.0.0/16", "2001:db8:1::/48"], "fallback": ["near", "far"], "deep": true},
  {"name": "town", "group": "city", "prefixes": ["10.0.0.0/8", "10.1.2.0/24"], "fallback": ["far"]}]})";

NodeTable server() {
  return table({in_group("s1", "stadium"), in_group("c1", "city"), in_group("n1", "near"), in_group("f1", "far")});
}

void look(NodeTable& nodes, const std::string& id, NodeCondition condition) {
  for (auto& state : nodes.nodes)
    if (state.address->id == id) state.condition = condition;
}

}  // namespace

TEST_CASE("without any rule the first usable node of the list is chosen") {
  CHECK(choice(table({node("a"), node("b")})) == "a default_group");
  CHECK(choice(table({node("a", NodeCondition::down), node("b")})) == "b default_group");
  CHECK(choice(table({node("a", NodeCondition::unhealthy), node("b")})) == "b default_group");
}

TEST_CASE("a node without a heartbeat since the start keeps its position in the list") {
  CHECK(choice(table({node("a", NodeCondition::unheard), node("b")})) == "a default_group");
}

TEST_CASE("the cache that the client named is chosen while it is usable") {
  const auto nodes = table({node("a"), node("b"), node("c", NodeCondition::down)});
  CHECK(choice(nodes, "b") == "b client_cache");
  CHECK(choice(nodes, "c") == "a default_group");
  CHECK(choice(nodes, "unknown") == "a default_group");
}

TEST_CASE("a named node without a receipt is accepted only within the groups that the client may use") {
  const auto view = view_with(kZones);
  const auto nodes = server();
  auto outside = from("192.0.2.1");
  outside.named = "s1";
  CHECK(choice(nodes, outside, view) == "n1 default_group");
  auto inside = from("10.1.9.9");
  inside.named = "f1";
  CHECK(choice(nodes, inside, view) == "f1 client_cache");
  outside.proved = {"s1"};
  CHECK(choice(nodes, outside, view) == "s1 receipt");
}

TEST_CASE("deep zones come first, then the longest prefix, IPv4 and IPv6 alike") {
  const auto view = view_with(kZones);
  CHECK(choice(server(), from("10.1.2.3"), view) == "s1 deep_zone");
  CHECK(choice(server(), from("2001:db8:1::7"), view) == "s1 deep_zone");
  CHECK(choice(server(), from("::ffff:10.1.2.3"), view) == "s1 deep_zone");
  CHECK(choice(server(), from("10.9.2.3"), view) == "c1 zone");
  CHECK(choice(server(), from("2001:db8:2::7"), view) == "n1 default_group");
}

TEST_CASE("when a zone's group is down the ordinary zone is used, then the fallbacks in their order") {
  const auto view = view_with(kZones);
  auto nodes = server();
  look(nodes, "s1", NodeCondition::down);
  CHECK(choice(nodes, from("10.1.2.3"), view) == "c1 zone");
  look(nodes, "c1", NodeCondition::down);
  CHECK(choice(nodes, from("10.1.2.3"), view) == "n1 fallback_group");
  look(nodes, "n1", NodeCondition::down);
  CHECK(choice(nodes, from("10.1.2.3"), view) == "f1 fallback_group");
}

TEST_CASE("the origin is chosen before the least bad node if the channel allows it") {
  auto question = from("192.0.2.1");
  const auto nodes = table({node("a", NodeCondition::down)});
  CHECK(choice(nodes, question) == "a least_bad");
  question.may_use_origin = true;
  CHECK(choice(nodes, question) == "- origin");
}

TEST_CASE("if no node is usable the least bad one is chosen") {
  auto early = node("early", NodeCondition::down), late = node("late", NodeCondition::down);
  early.last_heartbeat = base::SteadyTime{1s};
  late.last_heartbeat = base::SteadyTime{31s + 1ms};
  CHECK(choice(table({early, late})) == "late least_bad");
  CHECK(choice(table({early, node("unwell", NodeCondition::unhealthy), late})) == "unwell least_bad");
  auto refusing = late;
  refusing.is_lost_for_certain = true;
  CHECK(choice(table({refusing, early})) == "early least_bad");
}

TEST_CASE("if no node is usable a viewer stays at a node that is as bad as the others, and leaves a worse one") {
  const auto at_b = RoutingQuestion{.channel = "demo", .current = "b"};
  for (const auto condition : {NodeCondition::down, NodeCondition::unhealthy}) {
    auto a = node("a", condition), b = node("b", condition);
    a.capacity_mbps = b.capacity_mbps = 1'000;
    a.last_heartbeat = base::SteadyTime{30s};
    b.viewers->count = 500;
    CHECK(choice(table({a, b}), at_b) == "b least_bad");
    CHECK(choice(table({a, b})) == "a least_bad");
    b.is_lost_for_certain = true;
    CHECK(choice(table({a, b}), at_b) == "a least_bad");
  }
  auto a = node("a", NodeCondition::unhealthy), b = node("b", NodeCondition::down);
  CHECK(choice(table({a, b}), at_b) == "a least_bad");
  a.condition = NodeCondition::down;
  a.last_heartbeat = base::SteadyTime{31s};
  CHECK(choice(table({a, b}), at_b) == "a least_bad");
  auto gone = at_b;
  gone.gone = "b";
  a.last_heartbeat = {};
  CHECK(choice(table({a, b}), at_b) == "b least_bad");
  CHECK(choice(table({a, b}), gone) == "a least_bad");
}

TEST_CASE("if no node is usable new viewers spread by capacity") {
  std::vector<NodeState> states;
  for (const auto* id : {"a", "b", "c"}) states.push_back(node(id, NodeCondition::down));
  states[0].capacity_mbps = states[1].capacity_mbps = 1'000;
  states[2].capacity_mbps = 2'000;
  const auto nodes = table(std::move(states));
  for (int viewer = 0; viewer < 4'000; ++viewer) {
    const auto made = choose_node(nodes, {}, RoutingQuestion{.channel = "demo"});
    REQUIRE(made.node);
    made.node->viewers->count.fetch_add(1);
  }
  CHECK(nodes.nodes[0].viewers->count == 1'000);
  CHECK(nodes.nodes[1].viewers->count == 1'000);
  CHECK(nodes.nodes[2].viewers->count == 2'000);
}

TEST_CASE("viewers leave a node gradually that was the only choice, once another node is usable") {
  auto lost = in_group("a", "g");
  lost.condition = NodeCondition::down;
  lost.leaving_since = kSelectionTime - 15s;
  const auto count_left = [](const NodeState& node) {
    const auto nodes = table({node, in_group("b", "g")});
    int left = 0;
    for (std::uint64_t session = 1; session <= 1'000; ++session)
      left += choice(nodes, RoutingQuestion{.channel = "demo", .current = "a", .session = session}).substr(0, 1) == "a";
    return left;
  };
  CHECK(choice(table({lost, in_group("b", "g")})).substr(0, 1) == "b");
  CHECK(count_left(lost) > 400);
  CHECK(count_left(lost) < 600);
  lost.is_lost_for_certain = true;
  CHECK(count_left(lost) == 0);
  lost.is_lost_for_certain = false;
  lost.leaving_since = kSelectionTime - 30s;
  CHECK(count_left(lost) == 0);
}

TEST_CASE(
    "of unhealthy nodes the one with the most free capacity is chosen, so that the first does not get all viewers") {
  auto busy = node("busy", NodeCondition::unhealthy), idle = node("idle", NodeCondition::unhealthy);
  busy.capacity_mbps = idle.capacity_mbps = 100;
  busy.last.sent_mbps = 80;
  idle.last.sent_mbps = 10;
  CHECK(choice(table({busy, idle})) == "idle least_bad");
}

TEST_CASE("a node without an address is not chosen") {
  CHECK(choice(table({})) == "- no_node");
  auto nameless = node("a", NodeCondition::unheard);
  nameless.address = std::make_shared<NodeAddress>(NodeAddress{"a", ""});
  CHECK(choice(table({nameless})) == "- no_node");
  CHECK(choice(table({nameless, node("b", NodeCondition::down)})) == "b least_bad");
}

TEST_CASE("an overloaded node gets no new viewers and keeps those it has") {
  auto full = node("a"), free = node("b");
  full.capacity_mbps = free.capacity_mbps = 100;
  full.last.sent_mbps = 96;
  CHECK(choice(table({full, free})) == "b default_group");
  CHECK(choice(table({full, free}), RoutingQuestion{.channel = "demo", .current = "a"}) == "a default_group");
}

TEST_CASE("a viewer returns to a better node only when that has spare capacity") {
  auto better = node("a"), now = node("b");
  better.capacity_mbps = now.capacity_mbps = 100;
  better.last.sent_mbps = 90;
  CHECK(choice(table({better, now}), RoutingQuestion{.channel = "demo", .current = "b"}) == "b default_group");
  better.last.sent_mbps = 70;
  CHECK(choice(table({better, now}), RoutingQuestion{.channel = "demo", .current = "b"}) == "a default_group");
}

TEST_CASE("a held node gets no viewers while another one is healthy") {
  auto held = node("a");
  held.held_until = kSelectionTime + 5s;
  CHECK(choice(table({held, node("b")})) == "b default_group");
  CHECK(choice(table({held})) == "a least_bad");
}

TEST_CASE("a drained node gets no new viewers and loses its viewers gradually within the drain time") {
  auto drained = in_group("a", "g");
  drained.draining_since = kSelectionTime - 15s;
  const auto nodes = table({drained, in_group("b", "g")});
  CHECK(choice(nodes).substr(0, 1) == "b");
  int left = 0;
  for (std::uint64_t session = 1; session <= 1'000; ++session)
    left += choice(nodes, RoutingQuestion{.channel = "demo", .current = "a", .session = session}).substr(0, 1) == "a";
  CHECK(left > 400);
  CHECK(left < 600);
  drained.draining_since = kSelectionTime - 30s;
  CHECK(choice(table({drained, in_group("b", "g")}), RoutingQuestion{.channel = "demo", .current = "a", .session = 7})
            .substr(0, 1) == "b");
}

TEST_CASE("a channel fills its first node up to its share, then spreads: no node has more than 1.25 of the mean") {
  std::vector<NodeState> states;
  for (int i = 0; i < 10; ++i) states.push_back(in_group("n" + std::to_string(i), "g"));
  const auto nodes = table(std::move(states));
  std::map<std::string, int> taken;
  for (int viewer = 0; viewer < 10'000; ++viewer) {
    const auto made = choose_node(nodes, {}, from("192.0.2.1"));
    REQUIRE(made.node);
    made.node->viewers->count.fetch_add(1);
    ++taken[made.node->address->id];
    if (viewer == 49) CHECK(taken.size() == 1);
  }
  for (const auto& [id, count] : taken) CHECK(count <= 1'251);
}

TEST_CASE("in a large group no node has more than 1.25 of the mean, and a traced decision is the same") {
  std::vector<NodeState> states;
  for (int i = 0; i < 100; ++i) states.push_back(in_group("n" + std::to_string(i), "g"));
  states[3].condition = NodeCondition::down;
  const auto nodes = table(std::move(states));
  for (int viewer = 0; viewer < 30'000; ++viewer) {
    const auto made = choose_node(nodes, {}, from("192.0.2.1"));
    REQUIRE(made.node);
    made.node->viewers->count.fetch_add(1);
  }
  const double mean = 30'000.0 / 99;
  for (const auto& state : nodes.nodes) CHECK(static_cast<double>(state.viewers->count.load()) <= mean * 1.25 + 1);
  CHECK(nodes.nodes[3].viewers->count == 0);
  for (const auto* channel : {"demo", "b", "c", "d"}) {
    SelectionTrace seen;
    auto question = from("192.0.2.1");
    question.channel = channel;
    question.now = kSelectionTime + 1h;  // recomputes the sums
    CHECK(choose_node(nodes, {}, question).node == trace_choice(nodes, {}, question, seen).node);
  }
}

TEST_CASE("new viewers since the last heartbeat count as load before the next heartbeat") {
  auto busy = in_group("a", "g");
  busy.last.sent_mbps = 500;
  busy.viewers->count = busy.viewers_at_heartbeat = 100;
  CHECK(busy.utilisation() == doctest::Approx(0.5));
  busy.viewers->count = 190;
  CHECK(busy.utilisation() == doctest::Approx(0.95));
  CHECK(choice(table({busy, in_group("b", "h")})) == "b default_group");
  busy.viewers->count = 50;  // viewers that left are still counted in the traffic
  CHECK(busy.utilisation() == doctest::Approx(0.5));
}

TEST_CASE("viewers of other nodes return to a returning node as it ramps up, and new viewers at once") {
  auto back = in_group("a", "g");
  back.returned = kSelectionTime - 15s;
  back.last.sent_mbps = 450;
  const auto nodes = [&] { return table({back, in_group("b", "h")}); };
  CHECK(choice(nodes()) == "a default_group");
  CHECK(choice(nodes(), RoutingQuestion{.channel = "demo", .current = "b"}) == "b default_group");
  back.last.sent_mbps = 430;
  CHECK(choice(nodes(), RoutingQuestion{.channel = "demo", .current = "b"}) == "a default_group");
}

TEST_CASE("nodes are found for more channels than the cache of orders holds") {
  const auto nodes = table({in_group("a", "g"), in_group("b", "g"), in_group("c", "g")});
  for (int i = 0; i < 5'000; ++i) {
    const auto channel = "channel " + std::to_string(i);
    const auto made = choose_node(nodes, {}, RoutingQuestion{.channel = channel});
    REQUIRE(made.node);
    CHECK(made.reason == RoutingReason::default_group);
  }
}

TEST_CASE("a returning node begins with a small share") {
  auto fresh = in_group("a", "g");
  fresh.returned = kSelectionTime;
  const auto nodes = table({fresh, in_group("b", "g")});
  CHECK(ramp_factor(nodes.nodes[0], {}, kSelectionTime) == doctest::Approx(0.1));
  CHECK(ramp_factor(nodes.nodes[0], {}, kSelectionTime + 15s) == doctest::Approx(0.55));
  CHECK(ramp_factor(nodes.nodes[0], {}, kSelectionTime + 1h) == doctest::Approx(1));
  for (int viewer = 0; viewer < 1'000; ++viewer)
    choose_node(nodes, {}, from("192.0.2.1")).node->viewers->count.fetch_add(1);
  CHECK(nodes.nodes[0].viewers->count < 150);
}

TEST_CASE("a viewer leaves a node at once that the client reports as gone") {
  CHECK(choice(table({node("a"), node("b")}), RoutingQuestion{.channel = "demo", .current = "a", .gone = "a"}) ==
        "b default_group");
}

TEST_CASE("a viewer that reaches no node is sent to the origin, whatever serves or is named or proved") {
  const auto nodes = table({node("a"), node("b")});
  const RoutingQuestion question{
      .channel = "demo", .proved = {"b"}, .named = "b", .current = "a", .prefers_origin = true, .may_use_origin = true};
  CHECK(choice(nodes, question) == "- origin");
  SelectionTrace trace;
  CHECK(trace_choice(nodes, {}, question, trace).reason == RoutingReason::origin);
  for (const auto& group : rank_groups(nodes, {}, question, 8)) CHECK_FALSE(group.is_open);
}

TEST_CASE("distances between coordinates are computed, also across the date line") {
  CHECK(distance_km({52.5, 13.4}, {48.1, 11.6}) == doctest::Approx(504).epsilon(0.01));
  CHECK(distance_km({0, 179}, {0, -179}) == doctest::Approx(222).epsilon(0.01));
}

TEST_CASE("a trace has the verdict of every rank, and the reason of ranks without a candidate") {
  const auto view = view_with(kZones);
  SelectionTrace seen;
  auto question = from("10.1.2.3");
  question.named = "nobody";
  const auto nodes = server();
  trace_choice(nodes, view, question, seen);
  std::vector<std::string> said;
  for (const auto& entry : seen)
    said.push_back(std::string(to_string(entry.rank)) + " " + entry.node + ": " + entry.verdict);
  REQUIRE(said.size() >= 4);
  CHECK(said[0] == "receipt : the client sent no valid receipt");
  CHECK(said[1] == "client_cache nobody: no node has this id");
  CHECK(said[2] == "deep_zone s1: serves");
  CHECK(said[3] == "zone c1: would serve");
  CHECK(std::find(said.begin(), said.end(), "nearest_group : no geography database is configured") != said.end());
  CHECK(said.back() == "origin : the channel does not allow it");
}

TEST_CASE("a full node is skipped for the next rank, and exceeds its limit only when all are full") {
  const auto view = view_with(kZones);
  const auto nodes = server();
  access::NodeLimits limits;
  limits.limited_nodes = limits.full_nodes = {"s1"};
  auto question = from("10.1.2.3");
  question.limits = &limits;
  CHECK(choice(nodes, question, view) == "c1 zone");
  limits.limited_groups = limits.full_groups = {"city", "near", "far"};
  CHECK(choice(nodes, question, view) == "s1 deep_zone");
  question.now = kSelectionTime;
  CHECK(choose_node(nodes, view, question).is_full);
  question.current = "c1";  // a viewer stays at their current node
  CHECK(choose_node(nodes, view, question).node->address->id == "c1");
  question.may_use_origin = true;
  question.current = "";
  CHECK(choice(nodes, question, view) == "s1 deep_zone");
}

TEST_CASE("the alternatives of a viewer are listed in the order of the ranks, up to the first without a limit") {
  const auto view = view_with(kZones);
  const auto nodes = server();
  access::NodeLimits limits;
  limits.limited_nodes = {"s1", "n1"};
  limits.full_nodes = {"s1"};
  limits.limited_groups = {"city"};
  auto question = from("10.1.2.3");
  question.now = kSelectionTime;
  question.limits = &limits;
  const auto found = alternatives(nodes, view, question);
  CHECK(found.nodes == std::vector<access::NodeRef>{{"stadium", "s1"}, {"city", "c1"}, {"near", "n1"}, {"far", "f1"}});
  CHECK(found.ranks == std::vector<RoutingReason>{RoutingReason::deep_zone, RoutingReason::zone,
                                                  RoutingReason::fallback_group, RoutingReason::fallback_group});
  limits.limited_groups = {};
  CHECK(alternatives(nodes, view, question).nodes.size() == 2);
}

TEST_CASE("a player on a pathway is served by its group, and by the other ranks when that is closed") {
  auto nodes = server();
  const auto view = view_with(kZones);
  auto question = from("10.1.2.3");
  question.pathway = "near";
  CHECK(choice(nodes, question, view) == "n1 pathway");
  question.pathway = "city";
  CHECK(choice(nodes, question, view) == "c1 pathway");
  look(nodes, "c1", NodeCondition::down);
  CHECK(choice(nodes, question, view) == "s1 deep_zone");
  question.pathway = "unknown";
  CHECK(choice(nodes, question, view) == "s1 deep_zone");
}

TEST_CASE("a pathway does not open a group that is closed to the client, unless a receipt proves one of its nodes") {
  const auto nodes = server();
  const auto view = view_with(kZones);
  auto question = from("192.0.2.1");
  question.pathway = "stadium";
  CHECK(choice(nodes, question, view) != "s1 pathway");
  question.proved = {"s1"};
  CHECK(choice(nodes, question, view) == "s1 pathway");
}

TEST_CASE("the origin's pathway leads there only if the channel allows it") {
  const auto nodes = table({node("a")});
  RoutingQuestion question{.channel = "demo"};
  question.pathway = kOriginPathway;
  CHECK(choice(nodes, question) == "a default_group");
  question.may_use_origin = true;
  CHECK(choice(nodes, question) == "- origin");
}

TEST_CASE("groups are listed in the order of the ranks, with their state open or strained") {
  auto nodes = table({in_group("s1", "stadium"), in_group("s2", "stadium"), in_group("c1", "city"),
                      in_group("n1", "near"), in_group("f1", "far")});
  const auto view = view_with(kZones);
  const auto told = [&](const RoutingQuestion& question, std::size_t most = 8) {
    std::string text;
    for (const auto& s : rank_groups(nodes, view, question, most))
      text += std::string(s.group) + (s.is_open ? "" : " closed") + (s.is_strained ? " strained" : "") + ", ";
    return text;
  };
  CHECK(told(from("10.1.2.3")) == "stadium, city, near, far, ");
  CHECK(told(from("10.1.2.3"), 2) == "stadium, city, ");
  look(nodes, "s1", NodeCondition::down);
  CHECK(told(from("10.1.2.3"), 1) == "stadium strained, ");
  nodes.nodes[1].draining_since = kSelectionTime;
  CHECK(told(from("10.1.2.3"), 2) == "stadium closed strained, city, ");
  auto question = from("10.1.2.3");
  question.proved = {"f1"};
  question.pathway = "city";
  CHECK(told(question, 2) == "far, stadium closed strained, ");
}
