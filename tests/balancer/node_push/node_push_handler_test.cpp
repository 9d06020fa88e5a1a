#include "balancer/node_push/node_push_handler.h"

#include <doctest/doctest.h>

#include "balancer/node_push/segment_announcer.h"
#include "support/node_push_fixture.h"

using namespace tribune;
using namespace tribune::test;
using namespace tribune::balancer;
using namespace std::chrono_literals;

namespace {

/// A handler, and the nodes "stadium" and "city" that send heartbeats of the run "r".
struct Server : NodePushFixture {
  std::unique_ptr<NodePushHandler> desk;
  std::map<std::string, std::int64_t> sequences;
  int taken = 0;

  static EventView settings() {
    EventView view;
    view.publish_delay = 30s;
    return view;
  }
  Server() : NodePushFixture(kNow, settings()) {
    nodes.configure({{"stadium", "http://s:81"}, {"city", "http://c:82"}}, 1'800ms);
    for (const char* node : {"stadium", "city"}) accept_heartbeat(node);
    desk = std::make_unique<NodePushHandler>(clock, log, metrics, nodes, view, workers);
  }
  void turn() {
    loop.post([this] { loop.stop(); });
    loop.run();
  }
  std::shared_ptr<Outcome> post(const std::string& node, const std::string& body, const std::string& signature) {
    return NodePushFixture::post(*desk, node, body, signature);
  }
  std::shared_ptr<Outcome> ask(const std::string& node, std::int64_t acknowledged = 0, const std::string& run = "r",
                               const std::vector<contracts::OrderResult>& results = {}) {
    const auto body =
        contracts::to_json(contracts::NodePushPoll{node, run, ++sequences[node + run], acknowledged, results});
    return post(node, body, contracts::sign_body(one_key(), "POST " + contracts::news_path(node), body, kNow));
  }
  static contracts::NodePush news(const Outcome& outcome) { return contracts::news_from_json(outcome.body()).value(); }
  std::size_t tell(const std::vector<std::string>& to, const std::vector<std::string>& targets) {
    return desk->tell(to, targets, [this](const std::string&) { ++taken; }).size();
  }
};

}  // namespace

TEST_CASE_FIXTURE(Server, "a question is held until there is news, and the next one acknowledges it") {
  const auto first = ask("stadium");
  CHECK_FALSE(first->response);
  CHECK(tell({"stadium"}, {"/a", "/b"}) == 1);
  CHECK_FALSE(first->response);
  turn();
  REQUIRE(first->status() == 200);
  CHECK(contracts::verify_body(one_key(), "200 " + contracts::news_path("stadium"), first->body(),
                               first->header("X-Tribune-Signature"), kNow, 5s));
  const auto told = news(*first);
  CHECK(told.targets == std::vector<std::string>{"/a", "/b"});
  CHECK(taken == 0);
  const auto second = ask("stadium", told.number);
  CHECK(taken == 1);
  CHECK_FALSE(second->response);
}

TEST_CASE_FIXTURE(Server, "news whose answer was lost are told again") {
  ask("stadium");
  tell({"stadium"}, {"/a"});
  turn();
  const auto again = ask("stadium", 0);
  CHECK(news(*again).targets == std::vector<std::string>{"/a"});
  CHECK(taken == 0);
}

TEST_CASE_FIXTURE(Server, "what is told between two questions is in the answer to the next") {
  ask("stadium");
  tell({"stadium"}, {"/a"});
  turn();
  CHECK(tell({"stadium"}, {"/b"}) == 1);
  const auto next = ask("stadium", 0);
  CHECK(news(*next).targets == std::vector<std::string>{"/a", "/b"});
}

TEST_CASE_FIXTURE(Server, "only nodes that ask are told, and each says that it has taken it") {
  CHECK(tell({"stadium", "city", "nobody"}, {"/a"}) == 0);
  const auto s = ask("stadium"), c = ask("city");
  CHECK(tell({"stadium", "city"}, {"/b"}) == 2);
  turn();
  ask("stadium", news(*s).number);
  CHECK(taken == 1);
  ask("city", news(*c).number);
  CHECK(taken == 2);
}

TEST_CASE_FIXTURE(Server, "a node whose question ended long ago does not listen") {
  const auto gone = ask("stadium");
  gone->gone();
  CHECK_FALSE(gone->is_open);
  CHECK(tell({"stadium"}, {"/a"}) == 0);
  ask("city");
  tell({"city"}, {"/a"});
  turn();
  clock.advance(501ms);
  CHECK(tell({"city"}, {"/b"}) == 0);
}

TEST_CASE_FIXTURE(Server, "news that nobody fetched grow old and are dropped") {
  ask("stadium");
  tell({"stadium"}, {"/a"});
  turn();
  clock.advance(11s);
  const auto next = ask("stadium", 0);
  CHECK_FALSE(next->response);
  CHECK(taken == 1);
}

TEST_CASE_FIXTURE(Server, "a second question lets the first one go") {
  const auto first = ask("stadium"), second = ask("stadium");
  turn();
  CHECK(news(*first).targets.empty());
  CHECK_FALSE(second->response);
}

TEST_CASE_FIXTURE(Server, "a forged, foreign or replayed question, and one of another run than beats, is refused") {
  const auto path = contracts::news_path("stadium");
  const auto body = contracts::to_json(contracts::NodePushPoll{"stadium", "r", 5, 0, {}});
  const auto signature = contracts::sign_body(one_key(), "POST " + path, body, kNow);
  CHECK(post("stadium", body, "")->status() == 403);
  CHECK(post("stadium", body, contracts::sign_body(other_key(), "POST " + path, body, kNow))->status() == 403);
  CHECK(post("city", body, contracts::sign_body(one_key(), "POST " + contracts::news_path("city"), body, kNow))
            ->status() == 400);
  CHECK(post("stadium", body, contracts::sign_body(one_key(), "POST " + path, body, kNow - 1h))->status() == 403);
  CHECK(ask("stadium", 0, "other")->status() == 403);
  CHECK_FALSE(post("stadium", body, signature)->response);
  CHECK(post("stadium", body, signature)->status() == 403);
}

TEST_CASE_FIXTURE(Server, "a desk that is drained holds nothing") {
  const auto held = ask("stadium");
  desk->drain();
  turn();
  CHECK(held->status() == 200);
  CHECK(ask("stadium")->status() == 503);
}

namespace {

/// A rendition whose readings are announced; a reading is named by its MSN.
struct Rendition {
  Server& server;
  SegmentAnnouncer announcer{server.desk.get(), server.loop, server.clock, server.metrics};
  SnapshotPtr published{};

  void watched_at(const std::string& node) { announcer.audience()->seen(node, server.clock.steady_now()); }
  void read(std::int64_t msn, const std::vector<std::string>& newest) {
    announcer.announce(newest, 5s, published);
    published = std::make_shared<FakeSnapshot>(false, msn, msn + 1);
  }
  /// By a viewer who never moved.
  std::int64_t seen_at(const std::string& node) {
    return announcer.gate()->listed(published, node, node.size())->first_msn();
  }
};

}  // namespace

TEST_CASE_FIXTURE(
    Server, "a reading is held back from the viewers of a node until it takes what is new, and only that is told") {
  Rendition rendition{*this};
  rendition.read(1, {"/1", "/2"});
  CHECK(rendition.seen_at("stadium") == 1);  // nobody watched
  rendition.watched_at("stadium");
  rendition.read(2, {"/1", "/2", "/3"});
  CHECK(rendition.seen_at("stadium") == 2);  // its node does not listen
  const auto question = ask("stadium");
  rendition.read(3, {"/2", "/3", "/4"});
  CHECK(rendition.seen_at("stadium") == 2);
  CHECK(rendition.seen_at("city") == 3);
  turn();
  CHECK(news(*question).targets == std::vector<std::string>{"/4"});
  ask("stadium", news(*question).number);
  CHECK(rendition.seen_at("stadium") == 2);  // on its own loop
  turn();
  CHECK(rendition.seen_at("stadium") == 3);
  rendition.read(4, {"/2", "/3", "/4"});
  CHECK(rendition.seen_at("stadium") == 4);  // nothing new
  clock.advance(6s);
  rendition.read(5, {"/5"});
  CHECK(rendition.seen_at("stadium") == 5);  // the viewers left
}

TEST_CASE_FIXTURE(Server, "a slow node's viewers wait, those of a quick one do not, reading after reading") {
  Rendition rendition{*this};
  const auto slow = ask("stadium");
  auto quick = ask("city");
  rendition.watched_at("stadium");
  rendition.watched_at("city");
  rendition.read(1, {"/1"});
  for (std::int64_t msn = 2; msn <= 4; ++msn) {
    rendition.read(msn, {"/" + std::to_string(msn)});
    turn();
    quick = ask("city", news(*quick).number);
    turn();
    CHECK(rendition.seen_at("city") == msn);
    CHECK(rendition.seen_at("stadium") == 1);
  }
  ask("stadium", news(*ask("stadium", news(*slow).number)).number);
  turn();
  CHECK(rendition.seen_at("stadium") == 4);
}

TEST_CASE_FIXTURE(Server, "an announcement that nobody takes is over after the delay") {
  auto shorter = std::make_shared<EventView>(*view.get());
  shorter->publish_delay = 1ms;
  view.publish(shorter);
  Rendition rendition{*this};
  rendition.watched_at("stadium");
  const auto question = ask("stadium");
  rendition.read(1, {"/1"});
  rendition.read(2, {"/2"});
  CHECK(rendition.seen_at("stadium") == 1);
  CHECK(rendition.announcer.gate()->wait("stadium", 70, [&] { loop.stop(); }));
  loop.run();
  CHECK(rendition.seen_at("stadium") == 2);
  CHECK_FALSE(rendition.announcer.gate()->wait("stadium", 70, [] { FAIL("nothing is held"); }));
  ask("stadium", news(*question).number);  // too late: nothing more happens
  turn();
}

TEST_CASE_FIXTURE(Server, "what is held back is let go of at the end") {
  Rendition rendition{*this};
  rendition.watched_at("stadium");
  ask("stadium");
  rendition.read(1, {"/1"});
  rendition.read(2, {"/2"});
  int opened = 0;
  CHECK(rendition.announcer.gate()->wait("stadium", 70, [&] { ++opened; }));
  rendition.announcer.end();
  CHECK(opened == 1);
  CHECK(rendition.seen_at("stadium") == 2);
}

TEST_CASE_FIXTURE(Server, "an order is given until it is received, and its result is told once") {
  const auto told = std::make_shared<contracts::NodeOrder>(
      contracts::NodeOrder{"o1", contracts::PurgeOrder{contracts::PurgeOrder::By::channel, "demo", false}});
  std::vector<std::string> results;
  const auto on_result = [&](const std::string& node, const contracts::OrderResult& result) {
    results.push_back(node + " " + std::to_string(result.purged));
  };
  CHECK_FALSE(desk->order("stadium", told, NodePushHandler::Retention::no, on_result));
  const auto held = ask("stadium");
  CHECK(desk->order("stadium", told, NodePushHandler::Retention::yes, on_result));
  turn();
  CHECK(news(*held).orders == std::vector<contracts::NodeOrder>{*told});
  const auto lost = ask("stadium", 0);
  REQUIRE(news(*lost).orders.size() == 1);
  const auto received = ask("stadium", news(*lost).number);
  CHECK_FALSE(received->response);
  CHECK(results.empty());
  ask("stadium", 0, "r", {{"o1", "", 3, {}}});
  ask("stadium", 0, "r", {{"o1", "", 3, {}}});
  CHECK(results == std::vector<std::string>{"stadium 3"});
}

TEST_CASE_FIXTURE(Server, "an order that is kept waits for a node that is away, and is given anew to its next run") {
  const auto told =
      std::make_shared<contracts::NodeOrder>(contracts::NodeOrder{"o1", contracts::WarmOrder{"job", {"demo/e/1.ts"}}});
  CHECK_FALSE(desk->order("stadium", told, NodePushHandler::Retention::yes, [](const auto&, const auto&) {}));
  const auto first = ask("stadium");
  REQUIRE(news(*first).orders.size() == 1);
  CHECK_FALSE(ask("stadium", news(*first).number)->response);
  contracts::Heartbeat h;
  h.node = "stadium";
  h.run = "r2";
  h.sequence = 1;
  h.sent_unix_ms = 2;
  REQUIRE(nodes.heard(h) == NodeRegistry::Heard::accepted);
  nodes.check();
  CHECK(news(*ask("stadium", 0, "r2")).orders.size() == 1);
}

TEST_CASE_FIXTURE(
    Server,
    "a node that listens follows every purge, however many come at once, and no more are given than it can hold") {
  const auto purge = [&](std::size_t i) {
    const auto id = "o" + std::to_string(i);
    const contracts::PurgeOrder order{contracts::PurgeOrder::By::url, "demo/e/" + std::to_string(i), false};
    return desk->order("stadium", std::make_shared<contracts::NodeOrder>(contracts::NodeOrder{id, order}),
                       NodePushHandler::Retention::yes, {});
  };
  const auto held = ask("stadium");
  for (std::size_t i = 0; i < NodePushHandler::kMostGiven; ++i) {
    if (i == NodePushHandler::kMostPurges + 10) CHECK(desk->has_room({"stadium"}));
    REQUIRE(purge(i));
  }
  CHECK_FALSE(desk->has_room({"city", "stadium"}));
  CHECK(desk->has_room({"city"}));
  CHECK_FALSE(desk->is_behind("stadium"));
  turn();
  auto told = news(*held);
  std::size_t followed = 0;
  while (followed < NodePushHandler::kMostGiven && !told.orders.empty()) {
    std::vector<contracts::OrderResult> results;
    for (const auto& order : told.orders) {
      CHECK(std::get<contracts::PurgeOrder>(order.order).by == contracts::PurgeOrder::By::url);
      results.push_back({order.id, "", 1, {}});
    }
    followed += results.size();
    const auto next = ask("stadium", told.number, "r", results);
    told = next->response ? news(*next) : contracts::NodePush{};
  }
  CHECK(followed == NodePushHandler::kMostGiven);
  CHECK(desk->has_room({"stadium"}));
}

TEST_CASE_FIXTURE(Server, "an answer never acknowledges what it had no room for") {
  const auto order = [&](const std::string& id) {
    desk->order("stadium",
                std::make_shared<contracts::NodeOrder>(contracts::NodeOrder{id, contracts::ProgressQuestion{"job"}}),
                NodePushHandler::Retention::yes, [](const auto&, const auto&) {});
  };
  ask("stadium")->gone();
  for (const char* id : {"o1", "o2", "o3"}) order(id);
  const auto first = ask("stadium");
  CHECK(news(*first).orders.size() == contracts::kMaxNewsOrders);
  const auto second = ask("stadium", news(*first).number);
  REQUIRE(news(*second).orders.size() == 1);
  CHECK(news(*second).orders[0].id == "o3");
}
