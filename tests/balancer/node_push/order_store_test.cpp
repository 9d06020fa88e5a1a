#include "balancer/node_push/order_store.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>

#include "balancer/node_push_fixture.h"
#include "contracts/purge_mark.h"

using namespace tribune;
using namespace tribune::test;
using namespace tribune::balancer;
using namespace std::chrono_literals;
using By = contracts::PurgeOrder::By;

namespace {

/// A balancer's handler with a store in a folder; another one on the same folder is the one after a restart.
struct RestartableHandler : NodePushFixture {
  std::unique_ptr<store::Store> store;
  std::optional<OrderStore> order_store;
  std::optional<NodePushHandler> handler;
  std::int64_t sequence = 0;

  explicit RestartableHandler(const std::filesystem::path& folder, base::WallTime now = kNow) : NodePushFixture(now) {
    auto opened = store::Store::open({folder.string(), {std::string(kOrdersTable)}, 1 << 26, 1ms, "test 1"}, log);
    REQUIRE(opened.has_value());
    store = std::move(*opened);
    order_store.emplace(*store, log);
    handler.emplace(clock, log, metrics, nodes, view, workers);
    REQUIRE(handler->load(*order_store).has_value());
    REQUIRE(store->flush().has_value());
  }
  void hear(const std::vector<NodeSettings>& addresses, const std::string& node) {
    nodes.configure(addresses, 1'800ms);
    accept_heartbeat(node);
  }
  std::string give(const std::string& node, By by, const std::string& value, bool soft = false) {
    const auto id = handler->new_order_id();
    handler->push_order(
        node, std::make_shared<contracts::NodeOrder>(contracts::NodeOrder{id, contracts::PurgeOrder{by, value, soft}}),
        NodePushHandler::Retention::yes, {});
    return id;
  }
  /// The response to the node's next poll.
  contracts::NodePush poll(const std::string& node, std::int64_t acknowledged = 0,
                           const std::vector<contracts::OrderResult>& results = {}) {
    const auto body = contracts::to_json(contracts::NodePushPoll{node, "r", ++sequence, acknowledged, results});
    const auto outcome = post(*handler, node, body, signature_of(node, body));
    if (!outcome->response) return {};
    return contracts::news_from_json(outcome->body()).value();
  }
  std::size_t on_disk() {
    REQUIRE(store->flush().has_value());
    std::size_t count = 0;
    REQUIRE(store
                ->scan(kOrdersTable,
                       [&](std::string_view key, std::string_view) { return count += key.starts_with("node/"), true; })
                .has_value());
    return count;
  }
};

struct Fixture {
  std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("tribune-orders-" + std::to_string(::getpid()));
  const std::vector<NodeSettings> stadium{{"stadium", "http://s"}};
  Fixture() { std::filesystem::remove_all(folder); }
  ~Fixture() { std::filesystem::remove_all(folder); }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture,
                  "a purge for an absent node survives a restart of the balancer until the node has completed it") {
  std::string id;
  {
    RestartableHandler handler(folder);
    id = handler.give("stadium", By::url, "demo/e/a?x=1");
    CHECK(handler.handler->has_missed_purges("stadium"));
    CHECK(handler.on_disk() == 1);
  }
  {
    RestartableHandler handler(folder);
    handler.hear(stadium, "stadium");
    CHECK(handler.handler->has_missed_purges("stadium"));
    const auto pushed = handler.poll("stadium");
    REQUIRE(pushed.orders.size() == 1);
    CHECK(pushed.orders[0] == contracts::NodeOrder{id, contracts::PurgeOrder{By::url, "demo/e/a?x=1", false}});
    CHECK(handler.on_disk() == 1);  // the node may be killed before it completes the purge
    handler.poll("stadium", pushed.number, {{id, "", 1, {}}});
    CHECK_FALSE(handler.handler->has_missed_purges("stadium"));
    CHECK(handler.on_disk() == 0);
  }
}

TEST_CASE_FIXTURE(Fixture, "numbers grow across restarts, even when the wall clock steps back") {
  std::int64_t last = 0;
  std::string id;
  for (const auto now : {kNow, kNow - 24h, kNow - 48h}) {
    RestartableHandler handler(folder, now);
    handler.hear(stadium, "stadium");
    const auto other = handler.give("stadium", By::url, "demo/e/" + std::to_string(last));
    if (!id.empty()) {
      CHECK(contracts::order_name(other).issuer == contracts::order_name(id).issuer);
      CHECK(contracts::order_name(other).number > contracts::order_name(id).number);
    }
    id = other;
    // The node acknowledges a push of a former run, which covers nothing of this run.
    const auto pushed = handler.poll("stadium", last);
    CHECK(pushed.number > last);
    REQUIRE_FALSE(pushed.orders.empty());
    last = pushed.number;
  }
}

TEST_CASE_FIXTURE(Fixture, "a newer purge replaces the older ones that it covers") {
  RestartableHandler handler(folder);
  for (int i = 0; i < 100; ++i) handler.give("stadium", By::url, "demo/e/" + std::to_string(i));
  handler.give("stadium", By::tag, "match");
  CHECK(handler.on_disk() == 101);
  handler.give("stadium", By::channel, "demo", true);
  CHECK(handler.on_disk() == 102);  // a soft one is less than a hard one
  handler.give("stadium", By::channel, "demo");
  CHECK(handler.on_disk() == 2);
}

TEST_CASE_FIXTURE(Fixture, "a node that missed too many purges is ordered to drop everything") {
  {
    RestartableHandler handler(folder);
    for (std::size_t i = 0; i <= NodePushHandler::kMaxMissedPurges; ++i)
      handler.give("stadium", By::url, "demo/e/" + std::to_string(i));
    CHECK(handler.on_disk() == 1);
    handler.give("stadium", By::url, "demo/e/after");
  }
  RestartableHandler handler(folder);
  handler.hear(stadium, "stadium");
  const auto pushed = handler.poll("stadium");
  REQUIRE(pushed.orders.size() == 2);
  CHECK(pushed.orders[0].order == contracts::Order(contracts::PurgeOrder{By::all, "*", false}));
  CHECK(pushed.orders[1].order == contracts::Order(contracts::PurgeOrder{By::url, "demo/e/after", false}));
}

TEST_CASE_FIXTURE(Fixture, "a purge for a thousand nodes is loaded for each") {
  const std::string value = "demo/e/" + std::string(2'000, 'x') + "?token=1";
  {
    RestartableHandler handler(folder);
    const auto node_order = std::make_shared<contracts::NodeOrder>(
        contracts::NodeOrder{handler.handler->new_order_id(), contracts::PurgeOrder{By::url, value, false}});
    for (int i = 0; i < 1'000; ++i)
      handler.handler->push_order("node-" + std::to_string(i), node_order, NodePushHandler::Retention::yes, {});
    CHECK(handler.on_disk() == 1'000);
  }
  RestartableHandler handler(folder);
  for (int i = 0; i < 1'000; ++i) CHECK(handler.handler->has_missed_purges("node-" + std::to_string(i)));
}
