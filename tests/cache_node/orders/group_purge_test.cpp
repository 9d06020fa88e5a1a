// A purge is in force in the whole group: a node that has executed it does not get the purged object from a node that
// has not received the order yet.
#include <doctest/doctest.h>

#include "cache_node/node_under_test.h"
#include "cache_node/orders/orders_handler.h"
#include "contracts/peer_mark.h"
#include "support/folder.h"

using namespace tribune;
using namespace tribune::cache_node;
using namespace tribune::test;
using By = contracts::PurgeOrder::By;

namespace {

NodeUnderTest::Options group_purge_options() {
  NodeUnderTest::Options options;
  options.group = "arena";
  return options;
}

struct GroupPurgeFixture {
  Folder folder;
  NodeUnderTest node{folder.path(), group_purge_options()};
  Purge purge{node.index, node.journal, node.disk_maintenance, node.disk, node.log, node.metrics};
  WarmUp warm_up{node.workers.worker(0).loop, node.log, node.index,
                 [](const std::string&, auto) { return std::nullopt; }};
  OrdersHandler orders{node.clock, node.view, purge, node.known_purges, warm_up};
  const contracts::NamedPurge order{"balancer-7", {By::channel, "demo", false}};

  GroupPurgeFixture() {
    node.ensure_executed = [this](std::string_view marks) { return orders.ensure_executed(marks); };
  }
  /// As in the role: queued purges use members that are destroyed first.
  ~GroupPurgeFixture() {
    node.disk_maintenance.finish_queued();
    node.disk.finish_queued();
  }
  std::uint64_t follow() {
    std::promise<contracts::OrderResult> done;
    orders.execute({order.id, order.order}, [&](contracts::OrderResult result) { done.set_value(std::move(result)); });
    return done.get_future().get().purged;
  }
  /// Requests as another node that knows the order.
  std::shared_ptr<RecordedResponse> ask_as_peer(std::string_view path, std::chrono::seconds age = {}) {
    const contracts::PeerMark mark{contracts::PeerMark::Kind::peer, "a", 0,
                                   contracts::purge_mark({order.id, order.order, age})};
    return node.ask(path, contracts::mark_fields(keys(), mark, object_text(node.link(path)), node.clock.wall_now()));
  }
};

}  // namespace

TEST_CASE_FIXTURE(GroupPurgeFixture,
                  "a node that learns of a purge from a peer's request declines the request and executes the purge") {
  node.fill("seg1.ts", "old");
  const auto declined = ask_as_peer("seg1.ts");
  REQUIRE(declined->wait_end());
  CHECK(declined->status() == 503);
  CHECK(declined->header(contracts::kOriginStatusHeader).empty());
  node.settle();
  const auto again = ask_as_peer("seg1.ts");
  node.answer(node.origin(1), "new");
  REQUIRE(again->wait_end());
  CHECK(again->body() == "new");
  CHECK(follow() == 1);  // counts the object that was purged before; the object that was fetched since stays
  const auto third = ask_as_peer("seg1.ts");
  REQUIRE(third->wait_end());
  CHECK(third->body() == "new");
  CHECK(node.workers.asked() == 2);
}

TEST_CASE_FIXTURE(
    GroupPurgeFixture,
    "a node sends the known purges with each request that they cover, and fills from the origin if a peer declines") {
  node.fill("seg0.ts", "old");
  CHECK(follow() == 1);
  node.peers.update("balancer", {{"a", "http://a.test"}, {"b", "http://b.test"}});
  int declined = 0;
  node.workers.client().on_asked = [&](const std::shared_ptr<Asked>& asked) {
    const bool is_origin = asked->request.url.starts_with("http://origin.test");
    CHECK(asked->request.headers.first(contracts::kPurgesHeader).has_value() == !is_origin);
    if (!is_origin) {
      ++declined;
      const auto told =
          contracts::read_purge_marks(asked->request.headers.first(contracts::kPurgesHeader).value_or("")).value();
      REQUIRE(told.size() == 1);
      CHECK(told[0].id == order.id);
      CHECK(told[0].order == order.order);
      CHECK(told[0].age < std::chrono::minutes(1));
      return ScriptedClient::head(*asked, 503, {}, 0);
    }
    ScriptedClient::head(*asked, 200, {{"Content-Type", "video/mp2t"}}, 3);
    ScriptedClient::bytes(*asked, "new");
    ScriptedClient::done(*asked);
  };
  for (int i = 0; i < 20; ++i) {
    const auto seen = node.ask("seg" + std::to_string(i) + ".ts");
    REQUIRE(seen->wait_end());
    CHECK(seen->body() == "new");
  }
  CHECK(declined > 0);
}

TEST_CASE_FIXTURE(GroupPurgeFixture, "a purge that the other node is about to forget is not executed again") {
  node.fill("seg1.ts", "old");
  for (const auto age : {std::chrono::minutes(59), std::chrono::minutes(600)}) {
    const auto seen = ask_as_peer("seg1.ts", age);
    REQUIRE(seen->wait_end());
    CHECK(seen->body() == "old");
  }
  CHECK(node.known_purges.status(order) == KnownPurges::Status::unknown);
  const auto younger = ask_as_peer("seg1.ts", std::chrono::minutes(30));
  REQUIRE(younger->wait_end());
  CHECK(younger->status() == 503);
}

TEST_CASE_FIXTURE(GroupPurgeFixture, "queued purges are executed before the node stops") {
  node.fill("seg1.ts", "old");
  std::promise<void> begun;
  std::atomic<int> told = 0;
  node.disk_maintenance.add([&] { begun.get_future().wait(); });
  orders.execute({order.id, order.order}, [&](const contracts::OrderResult& result) { told += result.purged == 1; });
  begun.set_value();
  node.disk_maintenance.finish_queued();
  node.disk.finish_queued();
  CHECK(told == 1);
  CHECK(node.index.totals().objects == 0);
}

TEST_CASE_FIXTURE(GroupPurgeFixture, "a purge by tag also applies to running fills whose tags are not known yet") {
  const auto seen = node.ask("seg1.ts");
  const auto asked = node.origin();
  std::promise<void> done;
  orders.execute({"balancer-8", contracts::PurgeOrder{By::tag, "match", false}},
                 [&](contracts::OrderResult) { done.set_value(); });
  done.get_future().wait();
  node.answer(asked, "old", {{"Content-Type", "video/mp2t"}, {"Surrogate-Key", "match"}});
  REQUIRE(seen->wait_end());
  CHECK(seen->body() == "old");
  node.settle();
  CHECK(node.index.totals().objects == 0);
}
