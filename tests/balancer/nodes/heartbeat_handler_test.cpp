#include "balancer/nodes/heartbeat_handler.h"

#include <doctest/doctest.h>

#include "balancer/tables.h"
#include "contracts/channel_map.h"
#include "contracts/heartbeat.h"
#include "contracts/keys.h"
#include "contracts/signed_body.h"
#include "support/silent_log.h"

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;

namespace {

struct HeartbeatHandlerServer {
  base::ManualClock clock{test::kNow};
  base::Log log{test::silent()};
  base::Metrics metrics;
  NodeRegistry nodes{clock, log, metrics};
  PublishedView view{nullptr};
  HeartbeatHandler heartbeats{clock, log, metrics, nodes, view};
  base::KeyRing keys = test::one_key();

  HeartbeatHandlerServer() {
    nodes.configure({{"stadium", "http://s"}}, 1800ms);
    auto made = std::make_shared<EventView>();
    auto event = std::make_shared<contracts::Event>();
    event->channels.resize(1);
    event->channels[0].id = "demo";
    event->channels[0].source = "http://o/live/index.m3u8";
    made->channel_map = contracts::to_json(contracts::channel_map(*event));
    made->event = std::move(event);
    made->keys = std::make_shared<base::KeyRing>(test::one_key());
    view.publish(std::move(made));
  }

  contracts::Heartbeat beat(const std::string& node = "stadium") {
    contracts::Heartbeat h;
    h.node = node;
    h.run = "r";
    h.sequence = 1;
    h.sent_unix_ms = 1;
    return h;
  }

  http::Request signed_request(const contracts::Heartbeat& h, const std::string& path_node) {
    http::Request request;
    request.method = http::Method::post;
    request.body = contracts::to_json(h);
    request.headers.add(
        contracts::kSignatureHeader,
        contracts::sign_body(keys, "POST " + contracts::heartbeat_path(path_node), request.body, clock.wall_now()));
    return request;
  }
  bool says(const std::string& line) { return metrics.scrape().find(line) != std::string::npos; }
};

}  // namespace

TEST_CASE("a heartbeat is answered with the channel map, signed for this node") {
  HeartbeatHandlerServer h;
  const auto reply = h.heartbeats.answer("stadium", h.signed_request(h.beat(), "stadium"));
  REQUIRE(reply.status == 200);
  const auto body = std::get<std::string>(reply.body);
  const auto signature = reply.headers.first(contracts::kSignatureHeader);
  REQUIRE(signature);
  CHECK(contracts::verify_body(h.keys, "200 /internal/v1/nodes/stadium", body, *signature, h.clock.wall_now(), 30s));
  const auto map = contracts::channel_map_from_json(body);
  REQUIRE(map);
  CHECK(map->find("demo")->origins.base == "http://o/live/");
  CHECK(h.nodes.table()->find("stadium")->condition == NodeCondition::up);
  CHECK(h.says("tribune_balancer_heartbeats_total{result=\"accepted\"} 1"));
}

TEST_CASE("the response to a heartbeat names the backups that have other files than the source") {
  HeartbeatHandlerServer h;
  const contracts::DistrustedBackups distrusted{{"demo", {"http://b"}}};
  h.heartbeats.report_distrusted([&] { return distrusted; });
  const auto reply = h.heartbeats.answer("stadium", h.signed_request(h.beat(), "stadium"));
  contracts::DistrustedBackups found;
  REQUIRE(contracts::listed_from_answer(std::get<std::string>(reply.body), &found));
  CHECK(found == distrusted);
}

TEST_CASE("a heartbeat that is forged, stale, of another node or unknown changes nothing") {
  HeartbeatHandlerServer h;
  auto unsigned_request = h.signed_request(h.beat(), "stadium");
  unsigned_request.headers.remove(contracts::kSignatureHeader);
  CHECK(h.heartbeats.answer("stadium", unsigned_request).status == 403);

  auto changed = h.signed_request(h.beat(), "stadium");
  changed.body.replace(changed.body.find("true"), 4, "null");
  CHECK(h.heartbeats.answer("stadium", changed).status == 403);

  const auto old = h.signed_request(h.beat(), "stadium");
  h.clock.step_wall(31s);
  CHECK(h.heartbeats.answer("stadium", old).status == 403);
  h.clock.step_wall(-31s);

  CHECK(h.heartbeats.answer("city", h.signed_request(h.beat("city"), "city")).status == 403);
  CHECK(h.heartbeats.answer("city", h.signed_request(h.beat("stadium"), "stadium")).status == 403);
  CHECK(h.heartbeats.answer("city", h.signed_request(h.beat("stadium"), "city")).status == 400);
  CHECK(h.nodes.table()->find("stadium")->condition == NodeCondition::unheard);
  CHECK(h.says("tribune_balancer_heartbeats_total{result=\"forged\"} 4"));
  CHECK(h.says("tribune_balancer_heartbeats_total{result=\"unknown_node\"} 1"));
  CHECK(h.says("tribune_balancer_heartbeats_total{result=\"malformed\"} 1"));
}

TEST_CASE("a replayed heartbeat is refused although its signature is valid") {
  HeartbeatHandlerServer h;
  const auto request = h.signed_request(h.beat(), "stadium");
  CHECK(h.heartbeats.answer("stadium", request).status == 200);
  CHECK(h.heartbeats.answer("stadium", request).status == 403);
  CHECK(h.says("tribune_balancer_heartbeats_total{result=\"replayed\"} 1"));
}

TEST_CASE("an oversized heartbeat is refused without parsing") {
  HeartbeatHandlerServer h;
  http::Request request;
  request.body.assign(contracts::kMaxHeartbeatBytes + 1, ' ');
  CHECK(h.heartbeats.answer("stadium", request).status == 413);
}

TEST_CASE("a node that has not completed its missed purges is not listed as a peer") {
  HeartbeatHandlerServer h;
  h.nodes.configure({{"stadium", "http://s"}, {"city", "http://c"}}, 1800ms);
  std::string behind = "city";
  h.heartbeats.exclude_peers([&](std::string_view node) { return node == behind; });
  const auto body_for = [&](const std::string& node, std::int64_t sequence) {
    auto beat = h.beat(node);
    beat.group = "arena";
    beat.sequence = sequence;
    beat.sent_unix_ms = sequence;
    const auto reply = h.heartbeats.answer(node, h.signed_request(beat, node));
    REQUIRE(reply.status == 200);
    return std::get<std::string>(reply.body);
  };
  body_for("city", 1);
  CHECK(body_for("stadium", 1).find("http://c") == std::string::npos);
  behind.clear();
  CHECK(body_for("stadium", 2).find("http://c") != std::string::npos);
}
