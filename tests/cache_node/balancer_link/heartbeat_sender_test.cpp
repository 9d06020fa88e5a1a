#include "cache_node/balancer_link/heartbeat_sender.h"

#include <doctest/doctest.h>

#include "cache_node/node_under_test.h"
#include "contracts/heartbeat.h"
#include "contracts/signed_body.h"
#include "support/folder.h"

using namespace tribune;
using namespace tribune::cache_node;
using namespace tribune::test;

namespace {

constexpr std::string_view kMap =
    R"({"version":"2","channels":[{"id":"new","base":"http://origin.test/new/","extra_origins":[]}]})";

struct HeartbeatSenderFixture {
  Folder folder;
  NodeUnderTest node{folder.path()};
  std::unique_ptr<HeartbeatSender> sender;

  HeartbeatSenderFixture() {
    auto view = std::make_shared<NodeView>(*node.view.get());
    view->settings.public_url = "http://stadium.test";
    view->settings.balancers = {"http://balancer.test"};
    view->settings.heartbeat_interval = std::chrono::milliseconds(100);
    node.view.publish(view);
    sender =
        std::make_unique<HeartbeatSender>(HeartbeatParts{node.clock, node.log, node.metrics, node.view, node.channels,
                                                         node.peers, [] { return contracts::Heartbeat{}; }},
                                          node.workers.worker());
  }
  ~HeartbeatSenderFixture() {
    node.workers.on(0, [&] { sender.reset(); });
  }

  void answer(const std::shared_ptr<Asked>& asked, int status, std::string_view body, std::string signature) {
    node.workers.on(0, [&] {
      http::Headers headers;
      if (!signature.empty()) headers.add(contracts::kSignatureHeader, signature);
      ScriptedClient::head(*asked, status, headers, body.size());
      ScriptedClient::bytes(*asked, body);
      ScriptedClient::done(*asked);
    });
  }
  std::string sign(std::string_view context, std::string_view body) {
    return contracts::sign_body(keys(), context, body, node.clock.wall_now());
  }
};

}  // namespace

TEST_CASE_FIXTURE(HeartbeatSenderFixture,
                  "a heartbeat is signed for its path and counted, and its response updates the channel map") {
  node.workers.on(0, [&] { sender->start(); });
  const auto first = node.origin(0);
  CHECK(first->request.method == http::Method::post);
  CHECK(first->request.url == "http://balancer.test/internal/v1/nodes/stadium");
  const auto signature = first->request.headers.first(contracts::kSignatureHeader);
  REQUIRE(signature);
  CHECK(contracts::verify_body(keys(), "POST /internal/v1/nodes/stadium", first->request.body, *signature,
                               node.clock.wall_now(), std::chrono::seconds(5)));
  const auto heartbeat = contracts::heartbeat_from_json(first->request.body);
  REQUIRE(heartbeat);
  CHECK(heartbeat->node == "stadium");
  CHECK(heartbeat->sequence == 1);
  CHECK(heartbeat->healthy);
  CHECK_FALSE(sender->has_balancer());
  answer(first, 200, kMap, sign("200 /internal/v1/nodes/stadium", kMap));
  CHECK(sender->has_balancer());
  CHECK(node.channels.map()->find("new"));
  const auto second = contracts::heartbeat_from_json(node.origin(1)->request.body);
  REQUIRE(second);
  CHECK(second->sequence > 1);
  CHECK(second->run == heartbeat->run);
}

TEST_CASE_FIXTURE(HeartbeatSenderFixture,
                  "a response that is unsigned, signed for another path or an error changes nothing") {
  node.workers.on(0, [&] { sender->start(); });
  answer(node.origin(0), 200, kMap, "");
  answer(node.origin(1), 200, kMap, sign("200 /internal/v1/nodes/city", kMap));
  answer(node.origin(2), 403, kMap, sign("200 /internal/v1/nodes/stadium", kMap));
  CHECK(node.channels.map()->find("demo"));
  CHECK_FALSE(node.channels.map()->find("new"));
  CHECK_FALSE(sender->has_balancer());
}

TEST_CASE_FIXTURE(HeartbeatSenderFixture, "the last heartbeat reports that the node stops, and none follows") {
  node.workers.on(0, [&] {
    sender->start();
    sender->stop();
  });
  const auto goodbye = contracts::heartbeat_from_json(node.origin(1)->request.body);
  REQUIRE(goodbye);
  CHECK_FALSE(goodbye->healthy);
  CHECK(goodbye->reason == "stopping");
  node.workers.on(0, [&] { sender->stop(); });
  CHECK(node.workers.asked() == 2);
}

TEST_CASE_FIXTURE(HeartbeatSenderFixture, "a balancer that asks receives the numbers that its former run listed") {
  const auto answer_with = [&](std::size_t request, const contracts::NumbersOfAnswer& numbers) {
    const auto body = contracts::heartbeat_answer(kMap, {}, std::nullopt, "", {}, numbers);
    answer(node.origin(request), 200, body, sign("200 /internal/v1/nodes/stadium", body));
  };
  const auto sent = [&](std::size_t request) {
    return contracts::heartbeat_from_json(node.origin(request)->request.body)->listed_numbers;
  };
  const contracts::ListedNumbers former{{"new", {"e1", 59'553, 2}}};
  node.workers.on(0, [&] { sender->start(); });
  CHECK_FALSE(sent(0));
  answer_with(0, {former, false});
  CHECK_FALSE(sent(1));
  answer_with(1, {{}, false});
  CHECK_FALSE(sent(2));
  // The balancer has started again. What it has listed meanwhile replaces nothing.
  answer_with(2, {{{"new", {"e2", 9, 0}}}, true});
  CHECK(sent(3) == former);
  answer_with(3, {{{"new", {"e2", 59'560, 3}}, {"gone", {"e", 1, 0}}}, false});
  CHECK_FALSE(sent(4));
  answer_with(4, {{}, true});
  CHECK(sent(5) == contracts::ListedNumbers{{"new", {"e2", 59'560, 3}}});
}
