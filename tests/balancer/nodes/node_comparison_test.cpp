// What happens to one node only is its fault: refusals of the origin, players that starve, a store that does not work.
#include <doctest/doctest.h>

#include <string>

#include "balancer/nodes/reporting_nodes.h"

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;
using test::ReportingNodes;

namespace {

/// The counts of a node for channel "demo" grow each second.
void answers(ReportingNodes& c, const std::string& node, std::int64_t delivered, std::int64_t refused) {
  auto& list = c.says[node].origin_answers;
  if (list.empty()) list.push_back({"demo", 1, 0});
  auto& counts = list.front();
  counts.delivered += delivered;
  counts.refused_in_a_row = delivered > 0 ? refused : counts.refused_in_a_row + refused;
}

/// Every second these nodes are served or refused.
void pass_seconds(ReportingNodes& c, int seconds, const std::string& served, const std::string& refused) {
  for (int i = 0; i < seconds; ++i) {
    for (const char node : served) answers(c, std::string(1, node), 2, 0);
    for (const char node : refused) answers(c, std::string(1, node), 0, 2);
    c.pass(1s);
  }
}

/// Failures because of statuses that the origin sent.
contracts::NodeExperience met_statuses(std::int64_t requests, std::int64_t failures) {
  auto e = test::met(requests, failures);
  e.failures_by_origin = e.failures_by_origin_status = failures;
  return e;
}

void players(ReportingNodes& c, const std::string& node, std::int64_t networks, std::int64_t starved) {
  c.says[node].player_networks = networks;
  c.says[node].starved_networks = starved;
}

std::string states(ReportingNodes& c) {
  std::string all;
  for (const auto& [id, heartbeat] : c.says) all += c.is_up(id) ? 'u' : 'n';
  return all;
}

}  // namespace

TEST_CASE("a node that the origin refuses while it delivers to another one gets no viewers") {
  ReportingNodes c({"a", "b", "c"});
  pass_seconds(c, 3, "abc", "");
  pass_seconds(c, 2, "ac", "b");
  CHECK(states(c) == "uuu");
  pass_seconds(c, 3, "ac", "b");
  CHECK(states(c) == "unu");
  CHECK(c.state("b").unfit.find("refused the node the last") != std::string::npos);
  CHECK(c.state("b").unfit.find("channel demo, and delivers it to other nodes") != std::string::npos);
  pass_seconds(c, 7, "ac", "");  // it has no viewers, and requests nothing
  CHECK(states(c) == "unu");
  pass_seconds(c, 10, "ac", "");
  CHECK(states(c) == "uuu");
  pass_seconds(c, 3, "ac", "b");  // it is refused still
  CHECK(states(c) == "unu");
  pass_seconds(c, 40, "abc", "");
  CHECK(states(c) == "uuu");
}

TEST_CASE("refusals that all nodes meet, at once or in turn, take no node out") {
  ReportingNodes c({"a", "b", "c"});
  pass_seconds(c, 3, "abc", "");
  SUBCASE("all nodes at once") { pass_seconds(c, 60, "", "abc"); }
  SUBCASE("two of three, and the third is idle") { pass_seconds(c, 60, "", "ab"); }
  SUBCASE("a burst of errors while the others request nothing") {
    for (int i = 0; i < 5; ++i) {
      pass_seconds(c, 4, "", "b");
      pass_seconds(c, 4, "abc", "");
    }
  }
  SUBCASE("few refusals") {
    answers(c, "b", 0, 4);
    pass_seconds(c, 10, "ac", "");
  }
  CHECK(states(c) == "uuu");
}

TEST_CASE("the only node that requests a channel is taken for the cause until another one is refused, too") {
  ReportingNodes c({"a", "b"});
  pass_seconds(c, 3, "b", "");
  c.says["b"].experience = met_statuses(20, 20);
  pass_seconds(c, 5, "", "b");
  CHECK(states(c) == "un");
  CHECK(c.state("b").unfit.find("no other node has requested it") != std::string::npos);
  c.says["b"].experience = met_statuses(0, 0);
  c.says["a"].experience = met_statuses(20, 20);
  SUBCASE("the other one is refused") {
    pass_seconds(c, 30, "", "a");
    CHECK(states(c) == "uu");
    c.says["b"].experience = met_statuses(20, 20);
    pass_seconds(c, 90, "", "ab");
    CHECK(states(c) == "uu");
    c.says["b"].experience = met_statuses(0, 0);
    pass_seconds(c, 90, "", "a");
    CHECK(states(c) == "uu");
  }
  SUBCASE("the other one is served") {
    c.says["a"].experience = met_statuses(20, 0);
    pass_seconds(c, 5, "a", "");
    CHECK(states(c) == "un");
    pass_seconds(c, 10, "a", "");  // it is tried again
    CHECK(states(c) == "uu");
    pass_seconds(c, 5, "a", "b");
    CHECK(states(c) == "un");
  }
}

TEST_CASE("a viewer's failures decide where nobody else requests the channel") {
  ReportingNodes c({"a", "b"});
  answers(c, "b", 1, 0);
  c.pass(1s);
  c.says["b"].experience = met_statuses(100, 19);
  pass_seconds(c, 5, "", "b");
  CHECK(states(c) == "uu");
}

TEST_CASE("a node is judged by its players when many networks starve there and few at the rest of its group") {
  struct Case {
    const char* what;
    std::int64_t networks, starved, other_networks, others_starved;
    bool is_judged;
  };
  for (const auto& row : {Case{"it alone", 20, 6, 20, 0, true}, Case{"below the share", 21, 6, 20, 0, false},
                          Case{"few networks", 4, 4, 20, 0, false}, Case{"five networks", 5, 5, 20, 0, true},
                          Case{"the others, too", 20, 10, 20, 2, false}, Case{"hardly the others", 20, 10, 21, 2, true},
                          Case{"the others have no players", 20, 10, 4, 0, false}}) {
    CAPTURE(std::string(row.what));
    ReportingNodes c({"a", "b"}, "arena");
    players(c, "a", row.networks, row.starved);
    players(c, "b", row.other_networks, row.others_starved);
    c.pass(2s);
    CHECK(states(c) == (row.is_judged ? "nu" : "uu"));
  }
  ReportingNodes apart({"a", "b"});  // groups of their own
  players(apart, "a", 20, 20);
  players(apart, "b", 20, 0);
  apart.pass(2s);
  CHECK(states(apart) == "uu");
}

TEST_CASE("at most one node of a group is out because of its players") {
  ReportingNodes c({"a", "b", "c", "d", "e"}, "arena");
  for (const auto* node : {"c", "d", "e"}) players(c, node, 100, 0);
  players(c, "a", 20, 8);
  players(c, "b", 20, 10);
  c.pass(2s);
  CHECK(states(c) == "unuuu");
  c.pass(8s);
  CHECK(states(c) == "unuuu");
  players(c, "b", 0, 0);  // it has no viewers any more, and is tried again
  c.pass(15s);
  CHECK(states(c) == "nuuuu");
}

TEST_CASE("a node whose store does not work gets no viewers while others deliver") {
  ReportingNodes c({"a", "b"});
  c.says["a"].reason = "No such file or directory";
  c.pass(1s);
  CHECK(states(c) == "uu");
  c.pass(1s);
  CHECK(states(c) == "nu");
  CHECK(c.state("a").unfit == "its store does not work: No such file or directory");
  c.says["b"].reason = "No space left on device";
  c.pass(20s);
  CHECK(states(c) == "nu");  // somebody must serve
  c.says["a"].reason = c.says["b"].reason = "";
  c.pass(3s);
  CHECK(states(c) == "uu");
}
