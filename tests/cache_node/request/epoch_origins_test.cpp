// After a change of a channel's source a node fills each epoch from the origins that its links refer to.
#include <doctest/doctest.h>

#include <fmt/format.h>

#include "cache_node/node_under_test.h"
#include "contracts/epoch.h"
#include "support/folder.h"

using namespace tribune;
using namespace tribune::test;

namespace {

constexpr const char* kFormer = "http://origin.test/live/";  // of NodeUnderTest
constexpr const char* kPresent = "http://studio.test/match/";

std::string epoch_of(const char* base) { return contracts::new_epoch({base, {}, {}}); }

struct EpochOriginsFixture {
  Folder folder;
  NodeUnderTest node{folder.path()};

  void receive_map(const std::string& base) {
    REQUIRE(node.channels.update(
        fmt::format(R"({{"version":"{0}","channels":[{{"id":"demo","base":"{0}","extra_origins":[]}}]}})", base)));
  }
  std::shared_ptr<RecordedResponse> ask(const std::string& epoch) {
    auto link = node.link();
    link.epoch = epoch;
    return node.ask_raw("demo", epoch, link.path, contracts::signed_query(keys(), link, node.clock.wall_now()));
  }
  void check_fill(const std::string& epoch, const std::string& url, const std::string& body) {
    const auto n = node.workers.client().count();
    const auto seen = ask(epoch);
    CHECK(node.origin(n)->request.url == url);
    node.answer(node.origin(n), body);
    REQUIRE(seen->wait_end());
    CHECK(seen->body() == body);
  }
};

}  // namespace

TEST_CASE_FIXTURE(EpochOriginsFixture, "each epoch is filled from its own origins, also after a restart of the node") {
  const auto former = epoch_of(kFormer), present = epoch_of(kPresent);
  receive_map(kPresent);
  check_fill(present, "http://studio.test/match/seg1.ts", "of the studio");
  check_fill(former, "http://origin.test/live/seg1.ts", "of the former origin");
  check_fill("k3x0a1b2", "http://studio.test/match/seg1.ts", "without a mark");

  node.settle();
  cache_node::ChannelMapStore after_restart(folder.path(), node.disk_maintenance, node.log);
  after_restart.load();
  REQUIRE(after_restart.map());
  CHECK(after_restart.map()->find("demo")->origins_of(former)->base == kFormer);
  CHECK(after_restart.map()->find("demo")->origins_of(present)->base == kPresent);
}

TEST_CASE_FIXTURE(EpochOriginsFixture, "a link that arrives before the map with its origins waits for the map") {
  const auto present = epoch_of(kPresent);
  const auto seen = ask(present);
  const auto other = ask(present);
  node.workers.on(0, [] {});
  CHECK(node.workers.asked() == 0);
  CHECK(node.channel_maps_requested > 0);
  receive_map(kPresent);
  CHECK(node.origin()->request.url == "http://studio.test/match/seg1.ts");
  node.answer(node.origin(), "of the studio");
  REQUIRE(seen->wait_end());
  CHECK(seen->body() == "of the studio");
  REQUIRE(other->wait_end());
  CHECK(other->body() == "of the studio");
  CHECK(node.workers.asked() == 1);
}

TEST_CASE_FIXTURE(EpochOriginsFixture, "without its map a link gets 503, and what is stored is served") {
  const auto present = epoch_of(kPresent);
  receive_map(kPresent);
  check_fill(present, "http://studio.test/match/seg1.ts", "of the studio");
  for (int i = 0; i < 20; ++i) receive_map(fmt::format("http://studio.test/{}/", i));  // as many as make it forgotten
  const auto stored = ask(present);
  REQUIRE(stored->wait_end());
  CHECK(stored->body() == "of the studio");
  const auto refused = ask(epoch_of(kPresent));
  REQUIRE(refused->wait_end());
  CHECK(refused->status() == 503);
  CHECK(refused->note.reason == "origins_unknown");
  CHECK(node.workers.asked() == 1);
}
