// Fills of a channel whose backup has other files than its source.
#include <doctest/doctest.h>

#include "cache_node/node_under_test.h"
#include "contracts/epoch.h"
#include "support/folder.h"

using namespace tribune;
using namespace tribune::test;
using contracts::DistrustedBackups;

namespace {

const std::vector<std::string> kBoth{"http://b1", "http://b2"};

struct DistrustedBackupsFixture {
  Folder folder;
  NodeUnderTest node{folder.path()};
  base::SteadyTime now{std::chrono::hours(1)};

  /// A response of that balancer to a heartbeat.
  void receive(const std::string& balancer, const DistrustedBackups& distrusted, bool knows_links = true,
               const std::vector<std::string>& configured = kBoth) {
    const std::string map =
        R"({"version":"2","channels":[{"id":"demo","base":"http://origin.test/live/","extra_origins":[],"backups":["http://backup.test"]}]})";
    const auto listed = knows_links ? std::optional(contracts::ListedLinks{}) : std::nullopt;
    REQUIRE(
        node.channels.update(contracts::heartbeat_answer(map, {}, listed, "", distrusted), balancer, now, configured));
  }
  /// Where a fill asks next when the origin has responded with 503. That server has the segment.
  std::string asked_after_failure(const std::string& path) {
    const auto first = node.workers.client().count();
    const auto seen = node.ask(path);
    const auto failed = node.origin(first);
    CHECK(failed->request.url == "http://origin.test/live/" + path);
    node.workers.on(0, [&] { ScriptedClient::deliver(*failed, {503}); });
    const auto next = node.origin(first + 1);
    node.answer(next, "the segment");
    REQUIRE(seen->wait_end());
    CHECK(seen->body() == "the segment");
    const auto origin = http::parse_uri(next->request.url);
    return origin ? origin->origin() : "";
  }
};

const DistrustedBackups kDistrusted{{"demo", {"http://backup.test"}}};

}  // namespace

TEST_CASE_FIXTURE(DistrustedBackupsFixture,
                  "a failed segment is retried at its own origin when the backup has other files") {
  receive("http://b1", {});
  CHECK(asked_after_failure("seg1.ts") == "http://backup.test");
  receive("http://b1", kDistrusted);
  CHECK(asked_after_failure("seg2.ts") == "http://origin.test");
  receive("http://b1", {{"other", {"http://backup.test"}}});
  CHECK(asked_after_failure("seg3.ts") == "http://backup.test");
}

TEST_CASE_FIXTURE(DistrustedBackupsFixture,
                  "the finding of any balancer counts, until that balancer reports another one") {
  receive("http://b1", kDistrusted);
  receive("http://b2", {});
  CHECK(*node.channels.distrusted() == kDistrusted);
  receive("http://b2", {{"demo", {"http://backup.test", "http://third.test"}}});
  CHECK(node.channels.distrusted()->at("demo").size() == 2);
  receive("http://b2", {});
  receive("http://b1", {}, false);  // it has just started
  CHECK(*node.channels.distrusted() == kDistrusted);
  SUBCASE("which reports another one") { receive("http://b1", {}); }
  SUBCASE("which is no longer configured") { receive("http://b2", {}, true, {"http://b2"}); }
  SUBCASE("which is silent for more than a day") {
    now += std::chrono::hours(24);
    receive("http://b2", {});
    CHECK(*node.channels.distrusted() == kDistrusted);
    now += std::chrono::seconds(1);
    receive("http://b2", {});
  }
  CHECK(node.channels.distrusted()->empty());
}

TEST_CASE_FIXTURE(DistrustedBackupsFixture,
                  "a node that starts without a balancer knows which backups have other files") {
  receive("http://b1", kDistrusted);
  node.settle();
  cache_node::ChannelMapStore after_restart(folder.path(), node.disk_maintenance, node.log);
  after_restart.load();
  CHECK(*after_restart.distrusted() == kDistrusted);
}

TEST_CASE_FIXTURE(DistrustedBackupsFixture,
                  "a link that names a backup means the same backup after a change of the list") {
  const auto receive_map = [&](const std::string& version, const std::string& backups) {
    REQUIRE(node.channels.update(R"({"version":")" + version +
                                 R"(","channels":[{"id":"demo","base":"http://origin.test/live/","backups":[)" +
                                 backups + "]}]}"));
  };
  auto link = node.link("~1/live/seg1.ts");
  link.epoch =
      contracts::new_epoch({"http://origin.test/live/", {}, {"http://first.test", "http://second.test"}}, true);
  const auto asked = [&] {
    const auto n = node.workers.client().count();
    const auto seen =
        node.ask_raw("demo", link.epoch, link.path, contracts::signed_query(keys(), link, node.clock.wall_now()));
    const auto url = node.origin(n)->request.url;
    node.answer(node.origin(n), "bytes");
    REQUIRE(seen->wait_end());
    return url;
  };
  receive_map("1", R"("http://first.test","http://second.test")");
  CHECK(asked() == "http://first.test/live/seg1.ts");
  receive_map("2", R"("http://second.test")");
  link.path = "~1/live/seg2.ts";
  CHECK(asked() == "http://first.test/live/seg2.ts");
  receive_map("3", R"("http://second.test","http://first.test")");
  link.path = "~1/live/seg3.ts";
  CHECK(asked() == "http://first.test/live/seg3.ts");
}
