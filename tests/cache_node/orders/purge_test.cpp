#include "cache_node/orders/purge.h"

#include <doctest/doctest.h>

#include "cache_node/node_under_test.h"
#include "support/folder.h"

using namespace tribune;
using namespace tribune::cache_node;
using namespace tribune::test;
using contracts::PurgeOrder;
using By = PurgeOrder::By;

namespace {

struct PurgeFixture {
  Folder folder;
  NodeUnderTest node{folder.path()};
  Purge purge{node.index, node.journal, node.disk_maintenance, node.disk, node.log, node.metrics};

  std::uint64_t run(By by, std::string value, bool soft = false) {
    std::promise<std::uint64_t> done;
    purge.run({by, std::move(value), soft},
              [&](const base::Result<std::uint64_t>& purged) { done.set_value(purged.value_or(999)); });
    return done.get_future().get();
  }
  void fill_some() {
    node.fill("v1/seg1.ts", "one", {{"Content-Type", "video/mp2t"}, {"Surrogate-Key", "match half-1"}});
    node.fill("v1/seg2.ts", "two", {{"Content-Type", "video/mp2t"}, {"Cache-Tag", "match, half-2"}});
    node.fill("v2/seg1.ts", "three");
  }
  /// Whether the request is answered without the origin.
  bool holds(std::string_view path) {
    const auto found = node.index.find_or_begin(object_key("demo/e1/" + std::string(path)), node.clock.steady_now());
    if (const auto* joined = std::get_if<ObjectIndex::Joined>(&found); joined && joined->began)
      node.index.abandon(*joined->fill);
    return std::holds_alternative<ObjectPtr>(found);
  }
  std::size_t files() { return node.settle(), folder.files("objects").size(); }
};

}  // namespace

TEST_CASE_FIXTURE(PurgeFixture, "a purge by URL removes one object with its file and its record") {
  fill_some();
  CHECK(run(By::url, "demo/e1/v1/seg1.ts") == 1);
  CHECK_FALSE(holds("v1/seg1.ts"));
  CHECK(holds("v1/seg2.ts"));
  CHECK(files() == 2);
  CHECK(run(By::url, "demo/e1/v1/seg1.ts") == 0);
}

TEST_CASE_FIXTURE(PurgeFixture, "a purge by prefix, channel or tag removes all matching objects and no other") {
  fill_some();
  CHECK(run(By::tag, "half-1") == 1);
  CHECK_FALSE(holds("v1/seg1.ts"));
  CHECK(run(By::prefix, "demo/e1/v1/") == 1);
  CHECK_FALSE(holds("v1/seg2.ts"));
  CHECK(holds("v2/seg1.ts"));
  CHECK(run(By::channel, "dem") == 0);
  CHECK(run(By::channel, "demo") == 1);
  CHECK(files() == 0);
}

TEST_CASE("an object that was hard purged does not return after a restart") {
  Folder folder;
  {
    NodeUnderTest node(folder.path());
    Purge purge(node.index, node.journal, node.disk_maintenance, node.disk, node.log, node.metrics);
    node.fill("seg1.ts", "one");
    node.fill("seg2.ts", "two");
    std::promise<void> done;
    purge.run({By::url, "demo/e1/seg1.ts", false}, [&](const auto&) { done.set_value(); });
    done.get_future().get();
  }
  NodeUnderTest node(folder.path());
  CHECK(node.index.totals().objects == 1);
}

TEST_CASE_FIXTURE(PurgeFixture,
                  "a fill that is running when its object is purged completes for its reader and is not stored") {
  const auto seen = node.ask("seg1.ts");
  const auto asked = node.origin();
  CHECK(run(By::prefix, "demo/e1/") == 1);
  node.answer(asked, "of before");
  REQUIRE(seen->wait_end());
  CHECK(files() == 0);
  CHECK_FALSE(holds("seg1.ts"));
}

TEST_CASE_FIXTURE(PurgeFixture, "after a soft purge the origin is requested, and its response replaces the object") {
  node.fill("seg1.ts", "old", {{"ETag", "\"v1\""}});
  CHECK(run(By::url, "demo/e1/seg1.ts", true) == 1);
  const auto seen = node.ask("seg1.ts");
  const auto asked = node.origin(1);
  CHECK(asked->request.headers.first("If-None-Match").value_or("") == "\"v1\"");
  node.answer(asked, "new", {{"ETag", "\"v2\""}});
  REQUIRE(seen->wait_end());
  CHECK(seen->body() == "new");
  CHECK(files() == 1);
  CHECK(node.index.totals().bytes == 3);
}

TEST_CASE_FIXTURE(PurgeFixture, "after a soft purge an object that the origin confirms is served, and is fresh again") {
  node.fill("seg1.ts", "right", {{"ETag", "\"v1\""}});
  run(By::url, "demo/e1/seg1.ts", true);
  const auto seen = node.ask("seg1.ts");
  const auto asked = node.origin(1);
  node.workers.on(0, [&] { ScriptedClient::head(*asked, 304, {{"ETag", "\"v1\""}}, std::nullopt); });
  REQUIRE(seen->wait_end());
  CHECK(seen->body() == "right");
  const auto again = node.ask("seg1.ts");
  REQUIRE(again->wait_end());
  CHECK(again->body() == "right");
  CHECK(node.workers.client().count() == 2);
}

TEST_CASE_FIXTURE(
    PurgeFixture,
    "after a soft purge the object is served while the origin fails, and not every request goes to the origin") {
  node.fill("seg1.ts", "stale", {{"ETag", "\"v1\""}});
  run(By::url, "demo/e1/seg1.ts", true);
  const auto seen = node.ask("seg1.ts");
  const auto asked = node.origin(1);
  node.workers.on(0, [&] { ScriptedClient::head(*asked, 400, {}, 0); });
  REQUIRE(seen->wait_end());
  CHECK(seen->body() == "stale");
  const auto again = node.ask("seg1.ts");
  REQUIRE(again->wait_end());
  CHECK(again->body() == "stale");
  CHECK(node.workers.client().count() == 2);
}

TEST_CASE("a soft purge survives a restart") {
  Folder folder;
  {
    NodeUnderTest node(folder.path());
    Purge purge(node.index, node.journal, node.disk_maintenance, node.disk, node.log, node.metrics);
    node.fill("seg1.ts", "one");
    std::promise<void> done;
    purge.run({By::channel, "demo", true}, [&](const auto&) { done.set_value(); });
    done.get_future().get();
  }
  NodeUnderTest node(folder.path());
  const auto found = node.index.find_or_begin(object_key("demo/e1/seg1.ts"), node.clock.steady_now());
  const auto* joined = std::get_if<ObjectIndex::Joined>(&found);
  CHECK((joined && joined->began));
  if (joined) node.index.abandon(*joined->fill);
}
