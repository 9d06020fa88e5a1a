#include "balancer/routing/session_router.h"

#include <doctest/doctest.h>

#include <string>

#include "contracts/keys.h"
#include "support/silent_log.h"

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view kClient = "10.1.2.7", kNetwork = "10.1.2.0/24", kOtherClient = "10.9.9.7";
constexpr access::SessionId kSession = 7;

/// Two nodes, "stadium" before "city", and one session of a channel that may use its origin.
struct RouterFixture {
  base::ManualClock clock{test::kNow};
  base::Log log{test::silent()};
  base::Metrics metrics;
  NodeRegistry nodes{clock, log, metrics};
  access::Admission admission{clock, log, metrics, {}, 3};
  RoutingFiles files{clock, log, metrics};
  SessionRouter router{clock, log, nodes, files, admission};
  bool may_use_origin = true;

  RouterFixture() {
    nodes.configure({{"stadium", "http://s:81"}, {"city", "http://c:82"}}, 1h);
    files.configure({});
    router.configure(60s);
  }

  Routed route(const ReachabilityClaims* claims = nullptr, std::string_view client = kClient, bool is_advice = false) {
    RoutingRequest request;
    request.client = client;
    request.channel = "demo";
    request.claims = claims;
    request.session = is_advice ? 0 : kSession;
    request.is_counted = !is_advice;
    request.is_advice = is_advice;
    request.may_use_origin = may_use_origin;
    return router.route(request);
  }
  std::string choice(const ReachabilityClaims* claims = nullptr, std::string_view client = kClient) {
    const auto routed = route(claims, client);
    return (routed.choice.node ? routed.choice.node->address->id : "-") + " " +
           std::string(to_string(routed.choice.reason));
  }
};

ReachabilityClaims none() {
  ReachabilityClaims claims;
  claims.reaches_none = claims.is_report = true;
  return claims;
}

/// A receipt that ends `lifetime` from now.
ReachabilityClaims proof_of(const std::string& node, bool is_report, std::chrono::seconds lifetime = 330s) {
  ReachabilityClaims claims;
  claims.proofs.push_back({node, std::string(kNetwork), base::unix_seconds(test::kNow) + lifetime.count(), -1});
  claims.is_report = is_report;
  return claims;
}

}  // namespace

TEST_CASE("a session that reaches no node is sent to the origin until its report ends, in that network only") {
  RouterFixture f;
  CHECK(f.choice() == "stadium default_group");
  const auto report = none();
  const auto routed = f.route(&report);
  CHECK(routed.choice.reason == RoutingReason::origin);
  CHECK(routed.holds == 60s);
  CHECK(f.choice() == "- origin");
  CHECK(f.choice(nullptr, kOtherClient) == "stadium default_group");
  CHECK(f.choice() == "- origin");
  f.clock.advance(61s);
  CHECK(f.choice() == "stadium default_group");
}

TEST_CASE("a later receipt ends the report that no node is reached, and one from before does not") {
  RouterFixture f;
  const auto in_url = proof_of("stadium", false);
  CHECK(f.choice(&in_url) == "stadium receipt");
  const auto report = none();
  CHECK(f.choice(&report) == "- origin");
  CHECK(f.choice(&in_url) == "- origin");  // the player's URL repeats what was said before
  const auto newer = proof_of("stadium", false, 331s);
  CHECK(f.choice(&newer) == "stadium receipt");
  CHECK(f.choice(&report) == "- origin");
  const auto reported = proof_of("city", true);  // a ping within the same second
  CHECK(f.choice(&reported) == "city receipt");
}

TEST_CASE("without the origin a session that reaches no node leaves its node for the next rank") {
  RouterFixture f;
  f.may_use_origin = false;
  CHECK(f.choice() == "stadium default_group");
  const auto report = none();
  CHECK(f.choice(&report) == "city default_group");
  CHECK(f.choice() == "city default_group");
  const auto reported = proof_of("stadium", true);
  CHECK(f.choice(&reported) == "stadium receipt");
}

TEST_CASE("a node that was reported gone is chosen again when a later receipt proves it") {
  RouterFixture f;
  ReachabilityClaims gone;
  gone.gone = "stadium";
  gone.is_report = true;
  const auto routed = f.route(&gone);
  CHECK(routed.choice.node->address->id == "city");
  CHECK(routed.holds == 60s);
  CHECK(f.choice(nullptr, kOtherClient) == "city default_group");  // it is gone in every network
  auto both = proof_of("stadium", true);
  both.gone = "stadium";
  CHECK(f.choice(&both) == "city default_group");
  const auto in_url = proof_of("stadium", false);
  CHECK(f.choice(&in_url) == "city default_group");  // it was part of the report
  const auto reported = proof_of("stadium", true);
  CHECK(f.choice(&reported) == "stadium receipt");
}

TEST_CASE("clients that report a node gone are evidence against it, unless they ask for an advice or reach no node") {
  RouterFixture f;
  contracts::Heartbeat heartbeat;
  heartbeat.node = "stadium";
  heartbeat.run = "r1";
  heartbeat.sequence = 1;
  heartbeat.sent_unix_ms = 1;
  REQUIRE(f.nodes.record_heartbeat(heartbeat) == NodeRegistry::HeartbeatResult::accepted);
  f.nodes.probed("stadium", PingResult::answered);
  ReachabilityClaims gone;
  gone.gone = "stadium";
  gone.is_report = true;
  const auto is_up_after = [&](const ReachabilityClaims& claims, bool is_advice) {
    for (const auto* client : {"10.1.1.7", "10.1.2.7", "10.1.3.7"}) f.route(&claims, client, is_advice);
    f.nodes.probed("stadium", PingResult::failed);
    const bool is_up = f.nodes.table()->find("stadium")->condition == NodeCondition::up;
    f.nodes.probed("stadium", PingResult::answered);
    return is_up;
  };
  CHECK(is_up_after(gone, true));
  CHECK(is_up_after(none(), false));
  CHECK_FALSE(is_up_after(gone, false));
}

TEST_CASE("an advice has the time for which its receipt holds, and is not recorded") {
  RouterFixture f;
  const auto claims = proof_of("city", true, 100s);
  const auto routed = f.route(&claims, kClient, true);
  CHECK(routed.choice.reason == RoutingReason::receipt);
  CHECK(routed.holds == 100s);
  const auto report = none();
  CHECK(f.route(&report, kClient, true).choice.reason == RoutingReason::origin);
  CHECK(f.choice() == "stadium default_group");
  CHECK_FALSE(f.route().holds.has_value());
}
