#include "balancer/node_push/order_store.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>

#include "contracts/purge_mark.h"
#include "support/node_push_fixture.h"

using namespace tribune;
using namespace tribune::test;
using namespace tribune::balancer;
using namespace std::chrono_literals;
using By = contracts::PurgeOrder::By;

namespace {

/// A balancer's handler with a store in a folder; another one on the same folder is the one after a restart.
struct Desk : NodePushFixture {
  std::unique_ptr<store::Store> store;
  std::optional<OrderStore> book;
  std::optional<NodePushHandler> desk;
  std::int64_t sequence = 0;

  explicit Desk(const std::filesystem::path& folder, base::WallTime now = kNow) : NodePushFixture(now) {
    auto opened = store::Store::open({folder.string(), {std::string(kOrdersTable)}, 1 << 26, 1ms, "test 1"}, log);
    REQUIRE(opened.has_value());
    store = std::move(*opened);
    book.emplace(*store, log);
    desk.emplace(clock, log, metrics, nodes, view, workers);
    REQUIRE(desk->load(*book).has_value());
    REQUIRE(store->flush().has_value());
  }
  void hear(const std::vector<NodeSettings>& addresses, const std::string& node) {
    nodes.configure(addresses, 1'800ms);
    accept_heartbeat(node);
  }
  std::string give(const std::string& node, By by, const std::string& value, bool soft = false) {
    const auto id = desk->new_order_id();
    desk->order(
        node, std::make_shared<contracts::NodeOrder>(contracts::NodeOrder{id, contracts::PurgeOrder{by, value, soft}}),
        NodePushHandler::Retention::yes, {});
    return id;
  }
  /// What the node's next question brings.
  contracts::NodePush ask(const std::string& node, std::int64_t acknowledged = 0,
                          const std::vector<contracts::OrderResult>& results = {}) {
    const auto body = contracts::to_json(contracts::NodePushPoll{node, "r", ++sequence, acknowledged, results});
    const auto outcome = post(*desk, node, body, signature_of(node, body));
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

TEST_CASE_FIXTURE(Fixture, "a purge for a node that is away outlives the balancer, until the node has followed it") {
  std::string id;
  {
    Desk desk(folder);
    id = desk.give("stadium", By::url, "demo/e/a?x=1");
    CHECK(desk.desk->is_behind("stadium"));
    CHECK(desk.on_disk() == 1);
  }
  {
    Desk desk(folder);
    desk.hear(stadium, "stadium");
    CHECK(desk.desk->is_behind("stadium"));
    const auto news = desk.ask("stadium");
    REQUIRE(news.orders.size() == 1);
    CHECK(news.orders[0] == contracts::NodeOrder{id, contracts::PurgeOrder{By::url, "demo/e/a?x=1", false}});
    CHECK(desk.on_disk() == 1);  // it may be killed before it follows
    desk.ask("stadium", news.number, {{id, "", 1, {}}});
    CHECK_FALSE(desk.desk->is_behind("stadium"));
    CHECK(desk.on_disk() == 0);
  }
}

TEST_CASE_FIXTURE(Fixture, "numbers grow over restarts, also when the wall clock steps back") {
  std::int64_t last = 0;
  std::string id;
  for (const auto now : {kNow, kNow - 24h, kNow - 48h}) {
    Desk desk(folder, now);
    desk.hear(stadium, "stadium");
    const auto other = desk.give("stadium", By::url, "demo/e/" + std::to_string(last));
    if (!id.empty()) {
      CHECK(contracts::order_name(other).issuer == contracts::order_name(id).issuer);
      CHECK(contracts::order_name(other).number > contracts::order_name(id).number);
    }
    id = other;
    // The node acknowledges what a former run told it: nothing of this run.
    const auto news = desk.ask("stadium", last);
    CHECK(news.number > last);
    REQUIRE_FALSE(news.orders.empty());
    last = news.number;
  }
}

TEST_CASE_FIXTURE(Fixture, "a newer purge takes the place of older ones that it covers") {
  Desk desk(folder);
  for (int i = 0; i < 100; ++i) desk.give("stadium", By::url, "demo/e/" + std::to_string(i));
  desk.give("stadium", By::tag, "match");
  CHECK(desk.on_disk() == 101);
  desk.give("stadium", By::channel, "demo", true);
  CHECK(desk.on_disk() == 102);  // a soft one is less than a hard one
  desk.give("stadium", By::channel, "demo");
  CHECK(desk.on_disk() == 2);
}

TEST_CASE_FIXTURE(Fixture, "a node that missed too many purges is told to drop all that it holds") {
  {
    Desk desk(folder);
    for (std::size_t i = 0; i <= NodePushHandler::kMostPurges; ++i)
      desk.give("stadium", By::url, "demo/e/" + std::to_string(i));
    CHECK(desk.on_disk() == 1);
    desk.give("stadium", By::url, "demo/e/after");
  }
  Desk desk(folder);
  desk.hear(stadium, "stadium");
  const auto news = desk.ask("stadium");
  REQUIRE(news.orders.size() == 2);
  CHECK(news.orders[0].order == contracts::Order(contracts::PurgeOrder{By::all, "*", false}));
  CHECK(news.orders[1].order == contracts::Order(contracts::PurgeOrder{By::url, "demo/e/after", false}));
}

TEST_CASE_FIXTURE(Fixture, "a purge for a thousand nodes is read back for each") {
  const std::string value = "demo/e/" + std::string(2'000, 'x') + "?token=1";
  {
    Desk desk(folder);
    const auto told = std::make_shared<contracts::NodeOrder>(
        contracts::NodeOrder{desk.desk->new_order_id(), contracts::PurgeOrder{By::url, value, false}});
    for (int i = 0; i < 1'000; ++i)
      desk.desk->order("node-" + std::to_string(i), told, NodePushHandler::Retention::yes, {});
    CHECK(desk.on_disk() == 1'000);
  }
  Desk desk(folder);
  for (int i = 0; i < 1'000; ++i) CHECK(desk.desk->is_behind("node-" + std::to_string(i)));
}
