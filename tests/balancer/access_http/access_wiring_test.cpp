#include "balancer/access_http/access_wiring.h"
#include "base/rfc3339.h"

#include <doctest/doctest.h>

using namespace tribune;

TEST_CASE("a viewer is predicted to use the largest BANDWIDTH, not an average one and not a value in a name") {
  CHECK(balancer::largest_mbps("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=2500000,AVERAGE-BANDWIDTH=9000000\na.m3u8\n"
                               "#EXT-X-STREAM-INF:AVERAGE-BANDWIDTH=9000000,BANDWIDTH=5000000\nb.m3u8\n") == 5.0);
  CHECK(balancer::largest_mbps("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000000\nBANDWIDTH=9\n") == 1.0);
  CHECK(balancer::largest_mbps("#EXTM3U\n") == 0.0);
  CHECK(balancer::largest_mbps("") == 0.0);
}

TEST_CASE("the opening time of a channel is read from section access") {
  contracts::Event event;
  event.channels.resize(2);
  event.channels[0].id = "main";
  event.channels[1].id = "later";
  event.channels[1].bandwidth_bps = 2'500'000;
  access::AccessSettings settings;
  settings.channels.push_back({"later", 5, access::kNoLimit, "2026-06-01T20:00:00Z"});
  const auto facts = balancer::channel_facts(event, settings);
  REQUIRE(facts.size() == 2);
  CHECK_FALSE(facts[0].opens_at);
  CHECK(facts[1].opens_at == base::parse_rfc3339("2026-06-01T20:00:00Z"));
  CHECK(facts[1].mbps == 2.5);
}
