#include "balancer/event_view_builder.h"

#include "balancer/playlist_flow_fixture.h"
#include "balancer/sessions/viewer_credentials.h"

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;

TEST_CASE("requests see the settings of the configuration that was published last") {
  test::PlaylistFlowFixture s;
  contracts::Event event;
  contracts::Channel channel;
  channel.id = "demo";
  channel.source = "http://127.0.0.1:9/index.m3u8";
  event.channels.push_back(channel);
  BalancerSettings settings;
  settings.session_idle = 7s;
  settings.ended_session_idle = 8s;
  settings.publish_delay = 9ms;
  settings.order_deadline = 10s;
  settings.direct_players = {"player"};
  settings.shared_networks = {"10.0.0.0/8"};
  settings.routing.receipt_lifetime = 11s;
  settings.steering.ttl = 12s;
  OperatorRules operators;
  operators.token = "an operator's token";
  const auto view = build_event_view(event, test::one_key(), settings, operators, s.slates);
  CHECK(view->event->find("demo"));
  CHECK(view->keys);
  CHECK(view->channel_map.find("\"demo\"") != std::string::npos);
  CHECK(view->session_idle == 7s);
  CHECK(view->ended_session_idle == 8s);
  CHECK(view->publish_delay == 9ms);
  CHECK(view->order_deadline == 10s);
  CHECK(view->direct_players == settings.direct_players);
  CHECK(view->receipt_lifetime == 11s);
  CHECK(view->steering.ttl == 12s);
  CHECK(view->operators.token == operators.token);
  CHECK(counted_client("10.1.2.3", view->shared_networks).address.empty());
  CHECK_FALSE(counted_client("192.0.2.3", view->shared_networks).address.empty());
}
