#include "cache_node/balancer_link/node_push_client.h"

#include <doctest/doctest.h>

#include "cache_node/node_under_test.h"
#include "contracts/signed_body.h"
#include "support/folder.h"

using namespace tribune;
using namespace tribune::cache_node;
using namespace tribune::test;

namespace {

struct NodePushClientFixture {
  Folder folder;
  NodeUnderTest node{folder.path()};
  const std::string run = "r";
  std::vector<std::string> begun;
  std::function<void()> on_begun;
  std::vector<std::string> followed;
  std::unique_ptr<NodePushClient> listener;

  NodePushClientFixture() {
    auto view = std::make_shared<NodeView>(*node.view.get());
    view->settings.balancers = {"http://balancer.test"};
    node.view.publish(view);
    listener = std::make_unique<NodePushClient>(
        NodePushClientParts{
            node.clock, node.log, node.metrics, node.view, run,
            [this](std::vector<std::string> targets, std::function<void()> done) {
              begun = std::move(targets);
              on_begun = std::move(done);
            },
            [this](const contracts::NodeOrder& order, std::function<void(contracts::OrderResult)> on_result) {
              followed.push_back(order.id);
              on_result({order.id, "", 3, {}});
            }},
        node.workers.worker());
    node.workers.on(0, [&] { listener->start(); });
  }
  ~NodePushClientFixture() {
    node.workers.on(0, [&] { listener.reset(); });
  }

  contracts::NodePushPoll question(std::size_t n) {
    const auto asked = node.origin(n);
    CHECK(asked->request.url == "http://balancer.test/internal/v1/nodes/stadium/news");
    const auto signature = asked->request.headers.first(contracts::kSignatureHeader).value_or("");
    CHECK(contracts::verify_body(keys(), "POST /internal/v1/nodes/stadium/news", asked->request.body, signature,
                                 node.clock.wall_now(), std::chrono::seconds(5)));
    return contracts::news_question_from_json(asked->request.body).value();
  }
  void answer(std::size_t n, const contracts::NodePush& news,
              std::string_view context = "200 /internal/v1/nodes/stadium/news") {
    const auto asked = node.origin(n);
    const auto body = contracts::to_json(news);
    node.workers.on(0, [&] {
      http::Headers headers;
      headers.add(contracts::kSignatureHeader, contracts::sign_body(keys(), context, body, node.clock.wall_now()));
      ScriptedClient::head(*asked, 200, headers, body.size());
      ScriptedClient::bytes(*asked, body);
      ScriptedClient::done(*asked);
    });
  }
};

}  // namespace

TEST_CASE_FIXTURE(NodePushClientFixture, "a push is acknowledged by the next poll, after its fills have begun") {
  const auto first = question(0);
  CHECK(first.node == "stadium");
  CHECK(first.run == "r");
  CHECK(first.acknowledged == 0);
  answer(0, {17, {"/media/demo/e/1.ts?tl=x"}, {}});
  node.workers.on(0, [&] {
    CHECK(begun == std::vector<std::string>{"/media/demo/e/1.ts?tl=x"});
    on_begun();
  });
  const auto second = question(1);
  CHECK(second.acknowledged == 17);
  CHECK(second.sequence > first.sequence);
}

TEST_CASE_FIXTURE(NodePushClientFixture,
                  "a response with the signature of another path begins no fill, and the node polls again") {
  answer(0, {17, {"/media/demo/e/1.ts?tl=x"}, {}}, "200 /internal/v1/nodes/city/news");
  CHECK(question(1).acknowledged == 0);
  node.workers.on(0, [&] { CHECK(begun.empty()); });
}

TEST_CASE_FIXTURE(NodePushClientFixture, "a stopped client does not poll again when its fills have begun") {
  answer(0, {17, {"/media/demo/e/1.ts?tl=x"}, {}});
  node.workers.on(0, [&] {
    listener->stop();
    on_begun();
  });
  CHECK(node.workers.asked() == 1);
}

TEST_CASE_FIXTURE(NodePushClientFixture,
                  "the result of an order is sent in a poll, and repeated until a balancer has received it") {
  answer(0, {18, {}, {{"o1", contracts::PurgeOrder{contracts::PurgeOrder::By::channel, "demo", false}}}});
  REQUIRE(node.workers.asked() >= 2);
  std::size_t n = 1;
  while (question(n).results.empty()) ++n;  // a poll may have been sent before the order was executed
  CHECK(question(n).acknowledged == 18);
  CHECK(question(n).results == std::vector<contracts::OrderResult>{{"o1", "", 3, {}}});
  answer(n, {0, {}, {}}, "200 /internal/v1/nodes/city/news");
  CHECK(question(n + 1).results.size() == 1);
  answer(n + 1, {19, {}, {}});
  CHECK(question(n + 2).results.empty());
  CHECK(followed == std::vector<std::string>{"o1"});
}
