#include "balancer/access_http/status_handler.h"

#include "balancer/playlist_flow_fixture.h"

using namespace tribune;
using namespace tribune::balancer;

TEST_CASE("the status lists each channel with its links mode and sessions, and all sessions and pins") {
  test::PlaylistFlowFixture s;
  s.get(s.open("direct") + "v.m3u8");
  s.open("direct");
  s.open("redirect");
  const StatusHandler status(s.nodes, s.admission, s.pins, s.view);
  base::json::Writer w;
  w.begin_object();
  status.describe(w);
  w.end_object();
  const auto value = base::json::parse(w.text());
  REQUIRE(value);
  const auto& channels = value->find("channels")->array;
  REQUIRE(channels.size() == 3);
  CHECK(channels[1].text("id") == "direct");
  CHECK(channels[1].text("links") == "direct");
  CHECK(channels[1].whole("sessions") == 2);
  CHECK(channels[2].whole("sessions") == 1);
  CHECK(value->whole("sessions") == 3);
  CHECK(value->whole("pinned_sessions") == 1);
}
