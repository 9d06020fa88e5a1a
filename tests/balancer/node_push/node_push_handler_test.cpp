#include "balancer/node_push/node_push_handler.h"

#include <doctest/doctest.h>

#include "balancer/node_push/segment_announcer.h"
#include "balancer/node_push_fixture.h"
#include "balancer/playlist_flow_fixture.h"

using namespace tribune;
using namespace tribune::test;
using namespace tribune::balancer;
using namespace std::chrono_literals;

namespace {

/// A handler, and the nodes "stadium" and "city" that send heartbeats of the run "r".
struct NodePushHandlerServer : NodePushFixture {
  std::unique_ptr<NodePushHandler> handler;
  std::map<std::string, std::int64_t> sequences;
  int acknowledged_pushes = 0;

  static EventView settings() {
    EventView view;
    view.publish_delay = 30s;
    return view;
  }
  NodePushHandlerServer() : NodePushFixture(kNow, settings()) {
    nodes.configure({{"stadium", "http://s:81"}, {"city", "http://c:82"}}, 1'800ms);
    for (const char* node : {"stadium", "city"}) accept_heartbeat(node);
    handler = std::make_unique<NodePushHandler>(clock, log, metrics, nodes, view, workers);
  }
  void turn() {
    loop.post([this] { loop.stop(); });
    loop.run();
  }
  std::shared_ptr<RecordedResponse> post(const std::string& node, const std::string& body,
                                         const std::string& signature) {
    return NodePushFixture::post(*handler, node, body, signature);
  }
  std::shared_ptr<RecordedResponse> poll(const std::string& node, std::int64_t acknowledged = 0,
                                         const std::string& run = "r",
                                         const std::vector<contracts::OrderResult>& results = {}) {
    const auto body =
        contracts::to_json(contracts::NodePushPoll{node, run, ++sequences[node + run], acknowledged, results});
    return post(node, body, contracts::sign_body(one_key(), "POST " + contracts::news_path(node), body, kNow));
  }
  static contracts::NodePush push_in(const RecordedResponse& outcome) {
    return contracts::news_from_json(outcome.body()).value();
  }
  std::size_t push_segments(const std::vector<std::string>& to, const std::vector<std::string>& targets) {
    return handler->push_segments(to, targets, [this](const std::string&) { ++acknowledged_pushes; }).size();
  }
};

}  // namespace

TEST_CASE_FIXTURE(NodePushHandlerServer,
                  "a poll is held until there is something to push, and the next poll acknowledges it") {
  const auto first = poll("stadium");
  CHECK_FALSE(first->response);
  CHECK(push_segments({"stadium"}, {"/a", "/b"}) == 1);
  CHECK_FALSE(first->response);
  turn();
  REQUIRE(first->status() == 200);
  CHECK(contracts::verify_body(one_key(), "200 " + contracts::news_path("stadium"), first->body(),
                               first->header("X-Tribune-Signature"), kNow, 5s));
  const auto push = push_in(*first);
  CHECK(push.targets == std::vector<std::string>{"/a", "/b"});
  CHECK(acknowledged_pushes == 0);
  const auto second = poll("stadium", push.number);
  CHECK(acknowledged_pushes == 1);
  CHECK_FALSE(second->response);
}

TEST_CASE_FIXTURE(NodePushHandlerServer, "a push whose response was lost is sent again") {
  poll("stadium");
  push_segments({"stadium"}, {"/a"});
  turn();
  const auto again = poll("stadium", 0);
  CHECK(push_in(*again).targets == std::vector<std::string>{"/a"});
  CHECK(acknowledged_pushes == 0);
}

TEST_CASE_FIXTURE(NodePushHandlerServer,
                  "segments that are pushed between two polls are in the response to the next one") {
  poll("stadium");
  push_segments({"stadium"}, {"/a"});
  turn();
  CHECK(push_segments({"stadium"}, {"/b"}) == 1);
  const auto next = poll("stadium", 0);
  CHECK(push_in(*next).targets == std::vector<std::string>{"/a", "/b"});
}

TEST_CASE_FIXTURE(NodePushHandlerServer, "only nodes that poll receive segments, and each acknowledges them") {
  CHECK(push_segments({"stadium", "city", "nobody"}, {"/a"}) == 0);
  const auto s = poll("stadium"), c = poll("city");
  CHECK(push_segments({"stadium", "city"}, {"/b"}) == 2);
  turn();
  poll("stadium", push_in(*s).number);
  CHECK(acknowledged_pushes == 1);
  poll("city", push_in(*c).number);
  CHECK(acknowledged_pushes == 2);
}

TEST_CASE_FIXTURE(NodePushHandlerServer, "a node whose poll ended long ago does not listen") {
  const auto gone = poll("stadium");
  gone->leave();
  CHECK_FALSE(gone->is_open);
  CHECK(push_segments({"stadium"}, {"/a"}) == 0);
  poll("city");
  push_segments({"city"}, {"/a"});
  turn();
  clock.advance(501ms);
  CHECK(push_segments({"city"}, {"/b"}) == 0);
}

TEST_CASE_FIXTURE(NodePushHandlerServer, "segments that no poll fetched expire and are dropped") {
  poll("stadium");
  push_segments({"stadium"}, {"/a"});
  turn();
  clock.advance(11s);
  const auto next = poll("stadium", 0);
  CHECK_FALSE(next->response);
  CHECK(acknowledged_pushes == 1);
}

TEST_CASE_FIXTURE(NodePushHandlerServer, "a second poll releases the first one") {
  const auto first = poll("stadium"), second = poll("stadium");
  turn();
  CHECK(push_in(*first).targets.empty());
  CHECK_FALSE(second->response);
}

TEST_CASE_FIXTURE(NodePushHandlerServer,
                  "a forged, foreign or replayed poll, and one of another run than the heartbeats, is refused") {
  const auto path = contracts::news_path("stadium");
  const auto body = contracts::to_json(contracts::NodePushPoll{"stadium", "r", 5, 0, {}});
  const auto signature = contracts::sign_body(one_key(), "POST " + path, body, kNow);
  CHECK(post("stadium", body, "")->status() == 403);
  CHECK(post("stadium", body, contracts::sign_body(other_key(), "POST " + path, body, kNow))->status() == 403);
  CHECK(post("city", body, contracts::sign_body(one_key(), "POST " + contracts::news_path("city"), body, kNow))
            ->status() == 400);
  CHECK(post("stadium", body, contracts::sign_body(one_key(), "POST " + path, body, kNow - 1h))->status() == 403);
  CHECK(poll("stadium", 0, "other")->status() == 403);
  CHECK_FALSE(post("stadium", body, signature)->response);
  CHECK(post("stadium", body, signature)->status() == 403);
}

TEST_CASE_FIXTURE(NodePushHandlerServer, "a drained handler holds no poll") {
  const auto held = poll("stadium");
  handler->drain();
  turn();
  CHECK(held->status() == 200);
  CHECK(poll("stadium")->status() == 503);
}

namespace {

/// A rendition whose refreshes are announced; a refresh is named by its MSN.
struct Rendition {
  NodePushHandlerServer& server;
  SegmentAnnouncer announcer{server.handler.get(), server.loop, server.clock, server.metrics};
  SnapshotPtr published{};

  void watched_at(const std::string& node) { announcer.publication()->followers.seen(node, server.clock.steady_now()); }
  void read(std::int64_t msn, const std::vector<std::string>& newest) {
    announcer.announce(newest, 5s, published);
    published = std::make_shared<FakeSnapshot>(false, msn, msn + 1);
  }
  /// The MSN that is visible to a viewer that never moved.
  std::int64_t seen_at(const std::string& node) {
    return announcer.publication()->hold.visible(published, node, node.size())->first_msn();
  }
};

}  // namespace

TEST_CASE_FIXTURE(
    NodePushHandlerServer,
    "a node's viewers get a snapshot when the node has acknowledged its new segments, which alone are pushed") {
  Rendition rendition{*this};
  rendition.read(1, {"/1", "/2"});
  CHECK(rendition.seen_at("stadium") == 1);  // no viewer
  rendition.watched_at("stadium");
  rendition.read(2, {"/1", "/2", "/3"});
  CHECK(rendition.seen_at("stadium") == 2);  // its node does not listen
  const auto held_poll = poll("stadium");
  rendition.read(3, {"/2", "/3", "/4"});
  CHECK(rendition.seen_at("stadium") == 2);
  CHECK(rendition.seen_at("city") == 3);
  turn();
  CHECK(push_in(*held_poll).targets == std::vector<std::string>{"/4"});
  poll("stadium", push_in(*held_poll).number);
  CHECK(rendition.seen_at("stadium") == 2);  // on its own loop
  turn();
  CHECK(rendition.seen_at("stadium") == 3);
  rendition.read(4, {"/2", "/3", "/4"});
  CHECK(rendition.seen_at("stadium") == 4);  // nothing new
  clock.advance(6s);
  rendition.read(5, {"/5"});
  CHECK(rendition.seen_at("stadium") == 5);  // the viewers left
}

TEST_CASE_FIXTURE(NodePushHandlerServer,
                  "viewers of a slow node wait and those of a quick one do not, refresh after refresh") {
  Rendition rendition{*this};
  const auto slow = poll("stadium");
  auto quick = poll("city");
  rendition.watched_at("stadium");
  rendition.watched_at("city");
  rendition.read(1, {"/1"});
  for (std::int64_t msn = 2; msn <= 4; ++msn) {
    rendition.read(msn, {"/" + std::to_string(msn)});
    turn();
    quick = poll("city", push_in(*quick).number);
    turn();
    CHECK(rendition.seen_at("city") == msn);
    CHECK(rendition.seen_at("stadium") == 1);
  }
  poll("stadium", push_in(*poll("stadium", push_in(*slow).number)).number);
  turn();
  CHECK(rendition.seen_at("stadium") == 4);
}

TEST_CASE_FIXTURE(NodePushHandlerServer, "an announcement that no node acknowledges ends after the delay") {
  auto shorter = std::make_shared<EventView>(*view.get());
  shorter->publish_delay = 1ms;
  view.publish(shorter);
  Rendition rendition{*this};
  rendition.watched_at("stadium");
  const auto held_poll = poll("stadium");
  rendition.read(1, {"/1"});
  rendition.read(2, {"/2"});
  CHECK(rendition.seen_at("stadium") == 1);
  CHECK(rendition.announcer.publication()->hold.wait("stadium", 70, [&] { loop.stop(); }));
  loop.run();
  CHECK(rendition.seen_at("stadium") == 2);
  CHECK_FALSE(rendition.announcer.publication()->hold.wait("stadium", 70, [] { FAIL("nothing is held"); }));
  poll("stadium", push_in(*held_poll).number);  // too late: nothing more happens
  turn();
}

TEST_CASE_FIXTURE(NodePushHandlerServer, "end() releases every held snapshot") {
  Rendition rendition{*this};
  rendition.watched_at("stadium");
  poll("stadium");
  rendition.read(1, {"/1"});
  rendition.read(2, {"/2"});
  int opened = 0;
  CHECK(rendition.announcer.publication()->hold.wait("stadium", 70, [&] { ++opened; }));
  rendition.announcer.end();
  CHECK(opened == 1);
  CHECK(rendition.seen_at("stadium") == 2);
}

TEST_CASE_FIXTURE(NodePushHandlerServer, "an order is sent until it is received, and its result is reported once") {
  const auto node_order = std::make_shared<contracts::NodeOrder>(
      contracts::NodeOrder{"o1", contracts::PurgeOrder{contracts::PurgeOrder::By::channel, "demo", false}});
  std::vector<std::string> results;
  const auto on_result = [&](const std::string& node, const contracts::OrderResult& result) {
    results.push_back(node + " " + std::to_string(result.purged));
  };
  CHECK_FALSE(handler->push_order("stadium", node_order, NodePushHandler::Retention::no, on_result));
  const auto held = poll("stadium");
  CHECK(handler->push_order("stadium", node_order, NodePushHandler::Retention::yes, on_result));
  turn();
  CHECK(push_in(*held).orders == std::vector<contracts::NodeOrder>{*node_order});
  const auto lost = poll("stadium", 0);
  REQUIRE(push_in(*lost).orders.size() == 1);
  const auto received = poll("stadium", push_in(*lost).number);
  CHECK_FALSE(received->response);
  CHECK(results.empty());
  poll("stadium", 0, "r", {{"o1", "", 3, {}}});
  poll("stadium", 0, "r", {{"o1", "", 3, {}}});
  CHECK(results == std::vector<std::string>{"stadium 3"});
}

TEST_CASE_FIXTURE(NodePushHandlerServer,
                  "an order that is retained waits for an absent node, and is sent again to its next run") {
  const auto node_order =
      std::make_shared<contracts::NodeOrder>(contracts::NodeOrder{"o1", contracts::WarmOrder{"job", {"demo/e/1.ts"}}});
  CHECK_FALSE(
      handler->push_order("stadium", node_order, NodePushHandler::Retention::yes, [](const auto&, const auto&) {}));
  const auto first = poll("stadium");
  REQUIRE(push_in(*first).orders.size() == 1);
  CHECK_FALSE(poll("stadium", push_in(*first).number)->response);
  contracts::Heartbeat h;
  h.node = "stadium";
  h.run = "r2";
  h.sequence = 1;
  h.sent_unix_ms = 2;
  REQUIRE(nodes.record_heartbeat(h) == NodeRegistry::HeartbeatResult::accepted);
  nodes.check();
  CHECK(push_in(*poll("stadium", 0, "r2")).orders.size() == 1);
}

TEST_CASE_FIXTURE(NodePushHandlerServer,
                  "a node that listens completes every purge of a large burst, and purges beyond a bound are refused") {
  const auto purge = [&](std::size_t i) {
    const auto id = "o" + std::to_string(i);
    const contracts::PurgeOrder order{contracts::PurgeOrder::By::url, "demo/e/" + std::to_string(i), false};
    return handler->push_order("stadium", std::make_shared<contracts::NodeOrder>(contracts::NodeOrder{id, order}),
                               NodePushHandler::Retention::yes, {});
  };
  const auto held = poll("stadium");
  for (std::size_t i = 0; i < NodePushHandler::kMaxPushedPurges; ++i) {
    if (i == NodePushHandler::kMaxMissedPurges + 10) CHECK(handler->accepts_purges({"stadium"}));
    REQUIRE(purge(i));
  }
  CHECK_FALSE(handler->accepts_purges({"city", "stadium"}));
  CHECK(handler->accepts_purges({"city"}));
  CHECK_FALSE(handler->has_missed_purges("stadium"));
  turn();
  auto push = push_in(*held);
  std::size_t completed = 0;
  while (completed < NodePushHandler::kMaxPushedPurges && !push.orders.empty()) {
    std::vector<contracts::OrderResult> results;
    for (const auto& order : push.orders) {
      CHECK(std::get<contracts::PurgeOrder>(order.order).by == contracts::PurgeOrder::By::url);
      results.push_back({order.id, "", 1, {}});
    }
    completed += results.size();
    const auto next = poll("stadium", push.number, "r", results);
    push = next->response ? push_in(*next) : contracts::NodePush{};
  }
  CHECK(completed == NodePushHandler::kMaxPushedPurges);
  CHECK(handler->accepts_purges({"stadium"}));
}

TEST_CASE_FIXTURE(NodePushHandlerServer, "a response never acknowledges what did not fit into it") {
  const auto order = [&](const std::string& id) {
    handler->push_order(
        "stadium", std::make_shared<contracts::NodeOrder>(contracts::NodeOrder{id, contracts::ProgressQuestion{"job"}}),
        NodePushHandler::Retention::yes, [](const auto&, const auto&) {});
  };
  poll("stadium")->leave();
  for (const char* id : {"o1", "o2", "o3"}) order(id);
  const auto first = poll("stadium");
  CHECK(push_in(*first).orders.size() == contracts::kMaxNewsOrders);
  const auto second = poll("stadium", push_in(*first).number);
  REQUIRE(push_in(*second).orders.size() == 1);
  CHECK(push_in(*second).orders[0].id == "o3");
}
