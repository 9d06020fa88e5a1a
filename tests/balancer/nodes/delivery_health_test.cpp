#include "balancer/nodes/delivery_health.h"

#include <doctest/doctest.h>

#include "balancer/nodes/reporting_nodes.h"
#include "balancer/tables.h"

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;
using test::met;
using test::ReportingNodes;

TEST_CASE("a node with too many failures gets no viewers, is notified of it, and is tried again when its term ends") {
  ReportingNodes c({"a", "b", "c"});
  for (const auto* id : {"a", "b", "c"}) c.says[id].experience = met(100, 1);
  c.pass(2s);
  CHECK(c.is_up("b"));
  c.says["b"].experience = met(100, 40);
  c.pass(1s);
  CHECK(c.state("b").condition == NodeCondition::unhealthy);
  CHECK(c.told("b").find("40 % of the last 100 requests failed") == 0);
  CHECK(c.told("a").empty());
  c.says["b"].experience = met(0, 0);  // it has no viewers any more
  c.pass(8s);
  CHECK_FALSE(c.is_up("b"));
  c.pass(3s);
  CHECK(c.is_up("b"));
  CHECK(c.state("b").returned.has_value());
  SUBCASE("its next term is twice as long") {
    c.says["b"].experience = met(100, 40);
    c.pass(1s);
    c.says["b"].experience = met(0, 0);
    c.pass(15s);
    CHECK_FALSE(c.is_up("b"));
    c.pass(6s);
    CHECK(c.is_up("b"));
  }
}

TEST_CASE("a node with a small number of failures, or of requests, keeps its viewers") {
  ReportingNodes c({"a", "b"});
  c.says["a"].experience = met(100, 15);
  c.says["b"].experience = met(3, 3);
  c.pass(5s);
  CHECK(c.is_up("a"));
  CHECK(c.is_up("b"));
}

TEST_CASE("failures with a status of the origin do not count against a node, and its other failures do") {
  ReportingNodes c({"a", "b", "c"});
  auto broken_channel = met(100, 60, 60);
  broken_channel.failures_by_origin_status = 60;
  broken_channel.origin_failures = 0;
  c.says["a"].experience = broken_channel;
  c.says["b"].experience = broken_channel;
  c.pass(5s);
  for (const auto& [id, h] : c.says) CHECK(c.is_up(id));
  CHECK(c.state("a").degraded.empty());
  CHECK(c.metrics.scrape().find("tribune_balancer_origin_fails_most_nodes 0") != std::string::npos);
  c.says["b"].experience.failures += 30;
  c.pass(1s);
  CHECK_FALSE(c.is_up("b"));
  CHECK(c.told("b").find("30 % of the last 100 requests failed") == 0);
  CHECK(c.is_up("a"));
}

TEST_CASE("a node that alone cannot reach the origin loses its viewers") {
  ReportingNodes c({"a", "b", "c"});
  c.says["b"].experience = met(50, 50, 50);
  SUBCASE("the others serve") {
    for (const auto* id : {"a", "c"}) c.says[id].experience = met(100, 0);
  }
  SUBCASE("the others have no requests") {}
  c.pass(2s);
  CHECK_FALSE(c.is_up("b"));
  CHECK(c.told("b").find("100 % of the fill requests to the origin failed") != std::string::npos);
  CHECK(c.is_up("a"));
  CHECK(c.is_up("c"));
}

TEST_CASE("when most nodes cannot reach the origin, none loses its viewers for that") {
  ReportingNodes c({"a", "b", "c"});
  for (auto& [id, h] : c.says) h.experience = met(50, 50, 50);
  c.pass(20s);
  for (const auto& [id, h] : c.says) CHECK(c.is_up(id));
  CHECK(c.state("a").degraded.find("the origin is the cause") != std::string::npos);
  CHECK(c.metrics.scrape().find("tribune_balancer_origin_fails_most_nodes 1") != std::string::npos);
  c.says["b"].memory = "scarce";  // a fault of its own
  c.pass(3s);
  CHECK_FALSE(c.is_up("b"));
  for (auto& [id, next] : c.says) {
    next.experience = met(50, 0);
    next.memory = "plenty";
  }
  c.pass(12s);
  for (const auto& [id, h] : c.says) CHECK(c.is_up(id));
  CHECK(c.state("a").degraded.empty());
  CHECK(c.metrics.scrape().find("tribune_balancer_origin_fails_most_nodes 0") != std::string::npos);
}

TEST_CASE("nodes that fail one after the other because the origin fails for all of them get their viewers back") {
  ReportingNodes c({"a", "b", "c"});
  c.says["a"].experience = met(50, 50, 50);  // only a has viewers
  c.pass(2s);
  CHECK_FALSE(c.is_up("a"));
  c.says["a"].experience = met(0, 0);
  c.says["b"].experience = met(50, 50, 50);  // the viewers moved to b
  c.pass(2s);
  CHECK(c.is_up("a"));
  CHECK(c.is_up("b"));
}

TEST_CASE("when all nodes fail by themselves, some of them keep their viewers") {
  ReportingNodes c({"a", "b", "c", "d"});
  for (auto& [id, h] : c.says) h.experience = met(100, 60);
  c.says["c"].experience = met(100, 80);
  c.says["d"].experience = met(100, 90);
  c.pass(5s);
  CHECK(c.is_up("a"));
  CHECK(c.is_up("b"));
  CHECK_FALSE(c.is_up("c"));
  CHECK_FALSE(c.is_up("d"));
  CHECK(c.state("a").degraded.find("too few other nodes") != std::string::npos);
  ReportingNodes lone({"a"});
  lone.says["a"].experience = met(100, 100);
  lone.says["a"].memory = "spent";
  lone.pass(5s);
  CHECK(lone.is_up("a"));
  CHECK(lone.state("a").degraded.find("memory is spent") == 0);
}

TEST_CASE("when healthy nodes are lost the least unfit of the others gets viewers again") {
  ReportingNodes c({"a", "b", "c", "d"});
  for (const auto* id : {"a", "b"}) c.says[id].experience = met(100, 0);
  c.says["c"].experience = met(100, 60);
  c.says["d"].experience = met(100, 90);
  c.pass(3s);
  CHECK_FALSE(c.is_up("c"));
  CHECK_FALSE(c.is_up("d"));
  c.says.erase("a");
  c.says.erase("b");
  c.pass(5s);
  CHECK(c.is_up("c"));
  CHECK_FALSE(c.is_up("d"));
  CHECK(c.state("c").degraded.find("60 % of the last 100 requests failed; the node stays in service because too few") ==
        0);
}

TEST_CASE("lasting lack of memory or of descriptors makes a node unhealthy, and a short one does not") {
  ReportingNodes c({"a", "b"});
  c.says["a"].memory = "scarce";
  c.pass(1s);
  c.says["a"].memory = "plenty";
  c.pass(1s);
  CHECK(c.is_up("a"));
  c.says["a"].memory = "scarce";
  c.pass(2s);
  CHECK_FALSE(c.is_up("a"));
  c.pass(60s);
  CHECK_FALSE(c.is_up("a"));
  CHECK(c.told("a") == "memory is scarce");
  c.says["a"].memory = "plenty";
  c.pass(2s);
  CHECK(c.is_up("a"));
  c.says["b"].max_descriptors = 1000;
  c.says["b"].descriptors = 980;
  c.pass(1s);
  CHECK_FALSE(c.is_up("b"));
}
