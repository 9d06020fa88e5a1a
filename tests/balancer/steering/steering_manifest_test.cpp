#include "balancer/steering/steering_manifest.h"

#include <doctest/doctest.h>

#include "balancer/routing/pathways.h"

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;
using Names = std::vector<std::string>;

TEST_CASE("well-formed values of a query are read, and others are treated as absent") {
  const auto said =
      parse_steering_query("session=k1.abc&pathways=city,ORIGIN&_HLS_pathway=%22city%22&_HLS_throughput=5140000");
  CHECK(said.session == "k1.abc");
  CHECK(said.listed == Names{"city", "ORIGIN"});
  CHECK(said.pathway == "city");
  CHECK(said.throughput_bps == 5'140'000);
  CHECK(parse_steering_query("_HLS_pathway=city").pathway == "city");
  for (const std::string_view bad :
       {"_HLS_pathway=%22&_HLS_throughput=", "_HLS_pathway=..%2f&_HLS_throughput=-5",
        "_HLS_pathway=A%0d%0a&_HLS_throughput=1e9", "pathways=%2c%2c,../,A&_HLS_throughput=99999999999999999999",
        "_HLS_pathway=%zz&_HLS_throughput=NaN&pathways=%"}) {
    CAPTURE(bad);
    const auto unsaid = parse_steering_query(bad);
    CHECK(unsaid.pathway.empty());
    CHECK(unsaid.listed.empty());
    CHECK_FALSE(unsaid.throughput_bps);
  }
}

TEST_CASE("open groups come first, then the origin, then closed groups") {
  const std::vector<GroupStanding> standings{{"stadium", RoutingReason::deep_zone, false, true},
                                             {"city", RoutingReason::fallback_group, true, false}};
  CHECK(order_of(standings, true) == Names{"city", "ORIGIN", "stadium"});
  CHECK(order_of(standings, false) == Names{"city", "stadium"});
  CHECK(order_of({}, false).empty());
}

TEST_CASE(
    "players repeat their request soon while the best group is closed or strained, or they are on another pathway") {
  const std::vector<GroupStanding> well{{"stadium", RoutingReason::deep_zone, true, false},
                                        {"city", RoutingReason::fallback_group, false, true}};
  const auto order = order_of(well, false);
  CHECK_FALSE(is_under_pressure(well, order, "stadium"));
  CHECK_FALSE(is_under_pressure(well, order, ""));
  CHECK(is_under_pressure(well, order, "city"));
  CHECK(is_under_pressure({{"stadium", RoutingReason::deep_zone, true, true}}, {"stadium"}, "stadium"));
  CHECK(is_under_pressure({{"stadium", RoutingReason::deep_zone, false, false}}, {"stadium"}, "stadium"));
  CHECK(is_under_pressure({}, {}, ""));
}

TEST_CASE("a playlist lists the best groups, with an open one if there is any") {
  const std::vector<GroupStanding> standings{{"a", RoutingReason::zone, false, true},
                                             {"b", RoutingReason::zone, false, true},
                                             {"c", RoutingReason::zone, true, false}};
  CHECK(order_of(best_of(standings, 3), false) == Names{"c", "a", "b"});
  CHECK(order_of(best_of(standings, 2), false) == Names{"c", "a"});
  CHECK(order_of(best_of(standings, 1), false) == Names{"c"});
  CHECK(best_of({}, 1).empty());
}

TEST_CASE(
    "a group that the player's playlist does not list becomes a clone if it is better; listed ones always remain") {
  SteeringQuery question;
  question.listed = {"city", "far"};
  const auto manifest = manifest_for(question, {"stadium", "city", "near"});
  CHECK(manifest.priority == Names{"stadium", "city", "far"});
  CHECK(manifest.clones == Names{"stadium"});
  CHECK(
      to_json(manifest).find(
          R"("PATHWAY-CLONES":[{"BASE-ID":"city","ID":"stadium","URI-REPLACEMENT":{"PARAMS":{"tl-via":"stadium"}}}])") !=
      std::string::npos);
}

TEST_CASE("a manifest has version, time and priority, and clones only where there are some") {
  auto manifest = manifest_for({}, {"city", "ORIGIN"});
  manifest.ttl = 60s;
  CHECK(to_json(manifest) == R"({"VERSION":1,"TTL":60,"PATHWAY-PRIORITY":["city","ORIGIN"]})");
  manifest.reload_uri = "/steering/demo?pathways=";
  CHECK(to_json(manifest) ==
        R"({"VERSION":1,"TTL":60,"RELOAD-URI":"/steering/demo?pathways=","PATHWAY-PRIORITY":["city","ORIGIN"]})");
  CHECK(manifest_for({}, {}).priority == Names{"."});
}

TEST_CASE("a pathway is an element of the path within the session") {
  std::string path = "~via/city/720p/v.m3u8";
  CHECK(take_pathway(path) == "city");
  CHECK(path == "720p/v.m3u8");
  for (std::string other : {"~via/", "~via/city", "~via/../v.m3u8", "~via//v.m3u8", "v.m3u8", "x/~via/city/v.m3u8"}) {
    CAPTURE(other);
    const auto before = other;
    CHECK(take_pathway(other).empty());
    CHECK(other == before);
  }
  CHECK(read_pathways("city,city,,ORIGIN,A b,far") == Names{"city", "ORIGIN", "far"});
  std::string many;
  for (int i = 0; i < 100; ++i) many += "g" + std::to_string(i) + ",";
  CHECK(read_pathways(many).size() == kMostPathways);
}
