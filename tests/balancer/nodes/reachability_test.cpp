// Evidence about one node, and failures of many nodes at once.
#include "balancer/nodes/reachability.h"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;

namespace {

constexpr auto kTimeout = 1800ms;
constexpr base::SteadyTime kStart{100s};

Reachability reached() {
  Reachability reach(kStart);
  reach.probed(PingResult::answered, kStart);
  return reach;
}

void report(Reachability& reach, int networks, base::SteadyTime now) {
  for (int i = 0; i < networks; ++i) reach.reported_gone("10.1." + std::to_string(i) + ".0/24", now);
}

/// A node that began to fail so many milliseconds before 10 s; negative: it does not fail.
NodeFailure failing(int ms, bool is_lost = false) {
  NodeFailure node{.counts = true, .is_lost = is_lost, .is_out = false, .since = {}};
  if (ms >= 0) node.since = base::SteadyTime{10s - std::chrono::milliseconds{ms}};
  return node;
}
NodeFailure lost(int ms) { return failing(ms, true); }
NodeFailure out(int ms) {
  auto node = lost(ms);
  node.is_out = true;
  return node;
}
NodeFailure uncounted(int ms) {
  auto node = lost(ms);
  node.counts = false;
  return node;
}
const auto fine = failing(-1);

}  // namespace

TEST_CASE(
    "a node begins to fail after three fifths of a timeout without a heartbeat, or with the first probe that fails") {
  auto reach = reached();
  CHECK_FALSE(reach.failing_since(kStart + 1079ms, kTimeout));
  CHECK(reach.failing_since(kStart + 1080ms, kTimeout) == kStart + 1080ms);
  reach.probed(PingResult::failed, kStart + 500ms);
  reach.probed(PingResult::failed, kStart + 700ms);
  CHECK(reach.failing_since(kStart + 700ms, kTimeout) == kStart + 500ms);
  CHECK(reach.failing_since(kStart + 2s, kTimeout) == kStart + 500ms);
  reach.heartbeat_received(kStart + 2s);
  CHECK(reach.failing_since(kStart + 2s, kTimeout) == kStart + 500ms);
  reach.probed(PingResult::answered, kStart + 2s);
  CHECK_FALSE(reach.failing_since(kStart + 2s, kTimeout));
  Reachability never_reached(kStart);
  never_reached.probed(PingResult::failed, kStart);
  CHECK_FALSE(never_reached.failing_since(kStart, kTimeout));
}

TEST_CASE("a refused connection is certain while the node is silent, and after it closed its connection") {
  auto reach = reached();
  reach.probed(PingResult::refused, kStart + 1s);
  CHECK_FALSE(reach.is_lost_for_certain(kStart + 1799ms, kTimeout));
  CHECK(reach.is_lost_for_certain(kStart + 1800ms, kTimeout));
  reach.heartbeat_received(kStart + 2s);  // a firewall refuses for it
  CHECK_FALSE(reach.is_lost_for_certain(kStart + 2s, kTimeout));

  reach.connection_lost(kStart + 2s);
  CHECK(reach.take_due_probe());
  CHECK_FALSE(reach.take_due_probe());
  reach.probed(PingResult::failed, kStart + 2100ms);
  CHECK_FALSE(reach.is_lost_for_certain(kStart + 2100ms, kTimeout));
  reach.probed(PingResult::refused, kStart + 2200ms);
  CHECK(reach.is_lost_for_certain(kStart + 2200ms, kTimeout));
  reach.heartbeat_received(kStart + 2300ms);
  CHECK_FALSE(reach.is_lost_for_certain(kStart + 2300ms, kTimeout));

  reach.connection_lost(kStart + 3s);
  reach.probed(PingResult::refused, kStart + 5s);  // the connection was lost two seconds before
  reach.heartbeat_received(kStart + 5s);
  CHECK_FALSE(reach.is_lost_for_certain(kStart + 5s, kTimeout));

  Reachability never_reached(kStart);
  never_reached.probed(PingResult::refused, kStart);
  CHECK_FALSE(never_reached.is_lost_for_certain(kStart + 10s, kTimeout));
}

TEST_CASE("reports of clients in three networks are certain while heartbeats or probes fail") {
  auto reach = reached();
  report(reach, 3, kStart);
  CHECK_FALSE(reach.is_lost_for_certain(kStart + 1s, kTimeout));
  CHECK(reach.is_lost_for_certain(kStart + 1800ms, kTimeout));
  reach.heartbeat_received(kStart + 2s);
  CHECK_FALSE(reach.is_lost_for_certain(kStart + 2s, kTimeout));
  reach.probed(PingResult::failed, kStart + 2s);
  CHECK(reach.is_lost_for_certain(kStart + 2s, kTimeout));
  reach.expire_reports(kStart + 10s);
  CHECK(reach.is_lost_for_certain(kStart + 2s, kTimeout));
  reach.expire_reports(kStart + 10001ms);
  CHECK_FALSE(reach.is_lost_for_certain(kStart + 2s, kTimeout));
  report(reach, 2, kStart + 11s);
  CHECK_FALSE(reach.is_lost_for_certain(kStart + 20s, kTimeout));
}

TEST_CASE("a node is cut off while neither heartbeats nor probes get through") {
  auto reach = reached();
  CHECK_FALSE(reach.is_cut_off(kStart + 60s, 60s));
  reach.probed(PingResult::failed, kStart + 1s);
  CHECK_FALSE(reach.is_cut_off(kStart + 60s, 60s));
  CHECK(reach.is_cut_off(kStart + 61s, 60s));
  reach.heartbeat_received(kStart + 61s);
  CHECK_FALSE(reach.is_cut_off(kStart + 62s, 60s));
  CHECK(Reachability(kStart).is_cut_off(kStart + 60s, 60s));
  CHECK_FALSE(Reachability(kStart).is_cut_off(kStart + 59s, 60s));
}

TEST_CASE("failures that are excused count anew, and a suspended process shortens the silence") {
  auto reach = reached();
  for (int i = 0; i < 3; ++i) reach.probed(PingResult::failed, kStart);
  CHECK(reach.unreachable() == "probes cannot reach the node");
  reach.excuse(kStart + 5s);
  CHECK(reach.unreachable().empty());
  CHECK_FALSE(reach.failing_since(kStart + 5s, kTimeout));
  CHECK(reach.silence(kStart + 6s) == 1s);
  reach.shorten_silence(500ms, kStart + 6s);
  CHECK(reach.silence(kStart + 6s) == 500ms);
  reach.shorten_silence(5s, kStart + 6s);
  CHECK(reach.silence(kStart + 6s) == 0s);
}

TEST_CASE("a failure is shared when two nodes and two thirds of all began to fail within a timeout") {
  struct Case {
    const char* what;
    std::vector<NodeFailure> nodes;
    bool is_shared;
  };
  const std::vector<Case> cases{
      {"nothing fails", {fine, fine, fine}, false},
      {"one of one", {lost(900)}, false},
      {"one of three", {lost(900), fine, fine}, false},
      {"two of two", {lost(900), failing(0)}, true},
      {"two of three", {lost(900), failing(0), fine}, true},
      {"two of four", {lost(900), failing(0), fine, fine}, false},
      {"three of four", {lost(900), failing(0), failing(0), fine}, true},
      {"three of five", {lost(900), lost(900), failing(0), fine, fine}, false},
      {"four of six", {lost(900), lost(900), failing(0), failing(0), fine, fine}, true},
      {"late heartbeats of all, none lost", {failing(0), failing(100), failing(200)}, false},
      {"the other began to fail a timeout before", {lost(900), failing(2700)}, true},
      {"the other began to fail longer before: it has its own cause", {lost(900), failing(2701)}, false},
      {"the other was lost just before", {lost(900), out(1000), fine}, true},
      {"the other was lost hours ago", {lost(900), out(3'600'000), fine}, false},
      {"nodes that were lost hours ago are not counted", {lost(900), failing(0), out(3'600'000), out(3'600'000)}, true},
      {"those that were taken out fail alone", {out(900), out(900), fine}, false},
      {"one that is lost for certain does not count", {lost(900), uncounted(900), fine}, false},
      {"nor as one that works", {lost(900), failing(0), uncounted(900), uncounted(900)}, true},
  };
  for (const auto& c : cases) {
    CAPTURE(std::string(c.what));
    SharedFailure shared;
    CHECK(shared.update(c.nodes, kTimeout) ==
          (c.is_shared ? SharedFailure::Change::began : SharedFailure::Change::none));
    CHECK(shared.is_doubted() == c.is_shared);
  }
}

TEST_CASE("a doubt ends when fewer than two thirds of the nodes in service fail") {
  const std::vector<NodeFailure> all{lost(900), lost(800), lost(700)};
  SharedFailure shared;
  REQUIRE(shared.update(all, kTimeout) == SharedFailure::Change::began);
  CHECK(shared.from() == base::SteadyTime{10s - 900ms - 1800ms});
  CHECK(shared.update(all, kTimeout) == SharedFailure::Change::none);
  CHECK(shared.update({lost(900), lost(800), fine}, kTimeout) == SharedFailure::Change::none);
  CHECK(shared.failing() == 2);
  CHECK(shared.nodes() == 3);
  SUBCASE("one of three fails") {
    CHECK(shared.update({lost(900), fine, fine}, kTimeout) == SharedFailure::Change::ended);
  }
  SUBCASE("one is left") {
    CHECK(shared.update({lost(900), uncounted(900)}, kTimeout) == SharedFailure::Change::ended);
  }
  SUBCASE("one of those that failed was taken out") {
    CHECK(shared.update({lost(900), out(900), fine}, kTimeout) == SharedFailure::Change::ended);
  }
  CHECK_FALSE(shared.is_doubted());
}
