// Requests through the real components of a node, files and index included.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "cache_node/node_under_test.h"
#include "cache_node/objects/object_key.h"
#include "contracts/peer_mark.h"
#include "support/folder.h"
#include "support/sample_body.h"

using namespace tribune;
using namespace tribune::cache_node;
using namespace tribune::test;

namespace {

struct MediaRequestFlowFixture {
  Folder folder;
  NodeUnderTest node{folder.path()};
  const std::string body = body_of(300'000);

  std::shared_ptr<RecordedResponse> ended(std::shared_ptr<RecordedResponse> seen) {
    REQUIRE(seen->wait_end());
    return seen;
  }
};

/// Damages the only object of a folder.
void damage(const Folder& folder, const std::function<void(const std::filesystem::path&)>& how) {
  const auto files = folder.files("objects");
  REQUIRE(files.size() == 1);
  how(files.front());
}

}  // namespace

TEST_CASE_FIXTURE(
    MediaRequestFlowFixture,
    "a link that is forged, changed, expired or of another channel gets 403, without a request to the origin") {
  const auto good = node.link();
  const auto query = contracts::signed_query(keys(), good, node.clock.wall_now());
  auto expired = good;
  expired.expires = base::unix_seconds(node.clock.wall_now()) - 31;
  auto changed = query;
  changed.back() = changed.back() == 'A' ? 'B' : 'A';
  CHECK(ended(node.ask_raw("demo", "e1", "seg1.ts", changed))->status() == 403);
  CHECK(ended(node.ask_raw("demo", "e1", "seg1.ts", ""))->status() == 403);
  CHECK(ended(node.ask_raw("demo", "e2", "seg1.ts", query))->status() == 403);
  CHECK(ended(node.ask_raw("other", "e1", "seg1.ts", query))->status() == 403);
  CHECK(ended(node.ask_raw("demo", "e1", "seg2.ts", query))->status() == 403);
  const auto late =
      ended(node.ask_raw("demo", "e1", "seg1.ts", contracts::signed_query(keys(), expired, node.clock.wall_now())));
  CHECK(late->status() == 403);
  CHECK(late->note.reason == "link_expired");
  CHECK(node.workers.asked() == 0);
}

TEST_CASE_FIXTURE(MediaRequestFlowFixture,
                  "a channel that is not in the map gets 404, without a request to the origin") {
  const contracts::Link link{"ghost", "e1", "seg1.ts", "", base::unix_seconds(node.clock.wall_now()) + 100};
  const auto seen =
      ended(node.ask_raw("ghost", "e1", "seg1.ts", contracts::signed_query(keys(), link, node.clock.wall_now())));
  CHECK(seen->status() == 404);
  CHECK(seen->note.reason == "channel_unknown");
  CHECK(node.workers.asked() == 0);
}

TEST_CASE_FIXTURE(MediaRequestFlowFixture,
                  "the first request is a miss, concurrent ones share its fill, and later ones are hits") {
  const auto first = node.ask();
  const auto second = node.ask("seg1.ts", {}, 1);
  node.answer_in_halves(node.origin(), body, {first, second});
  CHECK(ended(first)->body() == body);
  CHECK(ended(second)->body() == body);
  CHECK(first->header("Cache-Status") == "stadium; fwd=miss; fwd-status=200");
  CHECK(second->header("Cache-Status") == "stadium; fwd=miss; fwd-status=200; collapsed");
  node.settle();
  const auto third = ended(node.ask("seg1.ts", {}, 1));
  CHECK(third->body() == body);
  CHECK(third->header("Cache-Status") == "stadium; hit");
  CHECK(third->note.cache == "hit");
  CHECK(first->note.cache == "miss");
  CHECK(second->note.cache == "waited");
  CHECK(node.workers.asked() == 1);
  // A finished request is destroyed by a later call of its loop. The call that ended the response posts that call
  // before it returns.
  for (std::size_t i = 0; i < 4; ++i) node.workers.on(i % 2, [] {});
  CHECK(node.node_metrics.waiters.value() == 0);
}

TEST_CASE_FIXTURE(MediaRequestFlowFixture, "query keys after the signature do not change the object") {
  node.fill("seg1.ts", body);
  const auto link = node.link();
  const auto query = contracts::signed_query(keys(), link, node.clock.wall_now()) + "&CMCD=bl%3D5&_HLS_msn=7";
  CHECK(ended(node.ask_raw("demo", "e1", "seg1.ts", query))->body() == body);
  CHECK(node.workers.asked() == 1);
}

TEST_CASE_FIXTURE(
    MediaRequestFlowFixture,
    "concurrent requests of a cold object cause one request to the origin, and the first viewer may leave") {
  const auto first = node.ask_slowly("seg1.ts");
  const auto asked = node.origin();
  std::vector<std::shared_ptr<RecordedResponse>> crowd;
  for (std::size_t i = 0; i < 200; ++i) crowd.push_back(node.ask("seg1.ts", {}, i % 2));
  node.workers.on(0, [&] {
    ScriptedClient::head(*asked, 200, {}, body.size());
    ScriptedClient::bytes(*asked, std::string_view(body).substr(0, 100'000));
    first->leave();
  });
  for (const auto& seen : crowd) CHECK(seen->wait_bytes(100'000));
  node.workers.on(0, [&] {
    ScriptedClient::bytes(*asked, std::string_view(body).substr(100'000));
    ScriptedClient::done(*asked);
  });
  for (const auto& seen : crowd) {
    REQUIRE(seen->wait_end());
    CHECK(seen->whole);
    CHECK(seen->body() == body);
  }
  CHECK(node.workers.asked() == 1);
  CHECK(first->wait_end());
}

TEST_CASE_FIXTURE(MediaRequestFlowFixture, "ranges of a running fill wait only for their own bytes") {
  const auto asked_by_first = node.ask();
  const auto asked = node.origin();
  node.workers.on(0, [&] {
    ScriptedClient::head(*asked, 200, {}, body.size());
    ScriptedClient::bytes(*asked, std::string_view(body).substr(0, 150'000));
  });
  const auto early = ended(node.ask("seg1.ts", {{"Range", "bytes=1000-1999"}}, 1));
  CHECK(early->status() == 206);
  CHECK(early->body() == body.substr(1000, 1000));
  CHECK(early->header("Content-Range") == "bytes 1000-1999/300000");
  const auto late = node.ask("seg1.ts", {{"Range", "bytes=-100"}}, 1);
  const auto spanning = node.ask("seg1.ts", {{"Range", "bytes=149990-150009"}});
  CHECK(spanning->wait_bytes(10));
  CHECK_FALSE(spanning->ended());
  CHECK(ended(node.ask("seg1.ts", {{"Range", "bytes=300000-"}}))->status() == 416);
  CHECK(ended(node.ask("seg1.ts", {}, 0, http::Method::head))->announced == body.size());
  node.workers.on(0, [&] {
    ScriptedClient::bytes(*asked, std::string_view(body).substr(150'000));
    ScriptedClient::done(*asked);
  });
  CHECK(ended(late)->body() == body.substr(body.size() - 100));
  CHECK(ended(spanning)->body() == body.substr(149'990, 20));
  CHECK(ended(asked_by_first)->body() == body);
  CHECK(node.workers.asked() == 1);
}

TEST_CASE_FIXTURE(MediaRequestFlowFixture, "a slow viewer has at most 512 KiB of unsent bytes") {
  FakeExchange* exchange = nullptr;
  const auto big = body_of(2 << 20);
  const auto seen = node.ask_slowly("big.ts", &exchange);
  node.answer(node.origin(), big);
  node.settle();
  while (!seen->ended()) {
    const auto before = [&] {
      const std::lock_guard lock(seen->changed.mutex());
      return seen->bytes.size();
    }();
    node.workers.on(0, [&] {
      if (!seen->ended()) exchange->drain();
    });
    seen->changed.wait([&] { return seen->bytes.size() > before || seen->ended(); });
  }
  CHECK(seen->whole);
  CHECK(seen->body() == big);
  CHECK(seen->most_unsent <= 512 * 1024);
}

TEST_CASE("a restarted node serves complete objects, and fills incomplete ones again") {
  const Folder folder;
  const auto body = body_of(200'000), half = body_of(200'000, 2);
  {
    NodeUnderTest node(folder.path());
    node.fill("whole.ts", body, {{"Content-Type", "video/mp4"}, {"ETag", "\"v\""}});
    node.ask("half.ts");
    const auto asked = node.origin(1);
    node.workers.on(0, [&] {
      ScriptedClient::head(*asked, 200, {}, half.size());
      ScriptedClient::bytes(*asked, std::string_view(half).substr(0, 100'000));
    });
    node.settle();
  }
  NodeUnderTest node(folder.path());
  CHECK(folder.files("tmp").empty());
  CHECK(node.index.totals().objects == 1);
  const auto again = node.ask("whole.ts");
  REQUIRE(again->wait_end());
  CHECK(again->body() == body);
  CHECK(again->header("Content-Type") == "video/mp4");
  CHECK(again->header("ETag") == "\"v\"");
  CHECK(again->note.cache == "hit");
  CHECK(node.workers.asked() == 0);
  const auto anew = node.ask("half.ts");
  node.answer(node.origin(0), half);
  REQUIRE(anew->wait_end());
  CHECK(anew->body() == half);
}

TEST_CASE("after a restart a truncated, extended, corrupted or removed file is detected, dropped and filled again") {
  const auto body = body_of(200'000);
  const std::function<void(const std::filesystem::path&)> ways[] = {
      [](const auto& file) { std::filesystem::resize_file(file, 1000); },
      [](const auto& file) { std::filesystem::resize_file(file, 200'001); },
      [](const auto& file) { std::filesystem::remove(file); },
      [](const auto& file) {
        std::fstream f(file, std::ios::in | std::ios::out | std::ios::binary);
        f.seekg(123'456);
        const char byte = static_cast<char>(f.get());
        f.seekp(123'456);
        f.put(static_cast<char>(byte ^ 4));
      },
  };
  for (const auto& way : ways) {
    const Folder folder;
    {
      NodeUnderTest node(folder.path());
      node.fill("seg1.ts", body);
    }
    damage(folder, way);
    {
      NodeUnderTest node(folder.path());
      const auto one = node.ask(), two = node.ask("seg1.ts", {}, 1);
      // The first worker that is called after the check begins the fill.
      std::shared_ptr<Asked> asked;
      std::size_t by = 0;
      while (!asked) {
        for (by = 0; by < 2 && !asked; ++by) asked = node.workers.client(by).at(0);
        std::this_thread::yield();
      }
      node.answer(asked, body, {}, by - 1);
      REQUIRE(one->wait_end());
      REQUIRE(two->wait_end());
      CHECK(one->body() == body);
      CHECK(two->body() == body);
      CHECK(node.workers.asked() == 1);
      node.settle();
    }
    NodeUnderTest node(folder.path());
    const auto kept = node.ask();
    REQUIRE(kept->wait_end());
    CHECK(kept->body() == body);
    CHECK(node.workers.asked() == 0);
    CHECK(folder.files("objects").size() == 1);
  }
}

TEST_CASE_FIXTURE(MediaRequestFlowFixture,
                  "a file that is truncated while the node runs is detected by its length before it is sent") {
  node.fill("seg1.ts", body);
  damage(folder, [](const auto& file) { std::filesystem::resize_file(file, 5); });
  node.open_files.forget(object_key(node.link()).id);
  const auto seen = node.ask();
  node.answer(node.origin(1), body);
  CHECK(ended(seen)->body() == body);
}

TEST_CASE("files without a record are removed, and files of objects stay") {
  const Folder folder;
  const auto body = body_of(50'000);
  {
    NodeUnderTest node(folder.path());
    node.fill("seg1.ts", body);
  }
  const auto kept = folder.files("objects").front();
  std::filesystem::copy_file(kept, kept.parent_path() / (std::string(32, 'a') + "-00000001"));
  std::filesystem::copy_file(kept, kept.parent_path() / "foreign");
  auto other_generation = kept.filename().string();
  other_generation.back() = other_generation.back() == '0' ? '1' : '0';
  std::filesystem::copy_file(kept, kept.parent_path() / other_generation);
  NodeUnderTest node(folder.path());
  node.disk_maintenance.start_sweep();
  node.settle();
  CHECK(folder.files("objects") == std::vector{kept});
}

TEST_CASE("evicted objects are removed from disk and index, also after a restart") {
  const Folder folder;
  NodeUnderTest::Options options;
  options.max_bytes = 500'000;
  {
    NodeUnderTest node(folder.path(), options);
    for (int i = 0; i < 12; ++i)
      node.fill("seg" + std::to_string(i) + ".ts", body_of(100'000, static_cast<unsigned>(i)));
    CHECK(node.index.totals().bytes <= 500'000);
    node.settle();
    CHECK(folder.files("objects").size() == node.index.totals().objects);
  }
  NodeUnderTest node(folder.path(), options);
  CHECK(node.index.totals().objects == 5);
  const auto newest = node.ask("seg11.ts");
  REQUIRE(newest->wait_end());
  CHECK(newest->body() == body_of(100'000, 11));
  CHECK(node.workers.asked() == 0);
}

TEST_CASE_FIXTURE(MediaRequestFlowFixture,
                  "while the disk fails objects are kept in RAM, and the disk is used again when it recovers") {
  std::filesystem::rename(folder / "tmp", folder / "away");
  node.fill("seg1.ts", body);
  CHECK(node.index.totals().objects == 0);
  CHECK(node.index.totals().memory_objects == 1);
  CHECK_FALSE(node.health.reason().empty());
  const auto hit = ended(node.ask("seg1.ts", {{"Range", "bytes=5-9"}}, 1));
  CHECK(hit->status() == 206);
  CHECK(hit->body() == body.substr(5, 5));
  CHECK(node.workers.asked() == 1);
  std::filesystem::rename(folder / "away", folder / "tmp");
  node.fill("seg2.ts", body);
  CHECK(node.health.reason().empty());
  CHECK(node.index.totals().objects == 1);
}

TEST_CASE_FIXTURE(MediaRequestFlowFixture, "an empty object is stored and served") {
  node.fill("empty.vtt", "", {{"Content-Type", "text/vtt"}});
  const auto seen = ended(node.ask("empty.vtt"));
  CHECK(seen->status() == 200);
  CHECK(seen->header("Content-Type") == "text/vtt");
  CHECK(seen->body().empty());
  CHECK(node.workers.asked() == 1);
  CHECK(node.index.totals().objects == 1);
}

TEST_CASE_FIXTURE(MediaRequestFlowFixture,
                  "the channel map is saved for the next start, and a damaged one is ignored") {
  node.settle();
  ChannelMapStore keeper(folder.path(), node.disk_maintenance, node.log);
  keeper.load();
  REQUIRE(keeper.map());
  CHECK(keeper.map()->find("demo"));
  std::ofstream(folder / "channel_map.json") << "{\"version\":";
  ChannelMapStore damaged(folder.path(), node.disk_maintenance, node.log);
  damaged.load();
  CHECK_FALSE(damaged.map());
  CHECK_FALSE(damaged.update("[]").has_value());
}

TEST_CASE_FIXTURE(
    MediaRequestFlowFixture,
    "links that any balancer lists are accepted, also after a node's restart, until each of them reports others") {
  const auto answer = [](const std::string& listed) {
    return R"({"version":"1","channels":[{"id":"demo","base":"http://origin.test/live/","extra_origins":[]}],"peers":[])" +
           (listed.empty() ? "" : ",\"listed_links\":" + listed) + "}";
  };
  ChannelMapStore keeper(folder.path(), node.disk_maintenance, node.log);
  CHECK_FALSE(keeper.listed_from("demo"));
  REQUIRE(keeper.update(answer(R"({"demo":700})"), "http://b1"));
  REQUIRE(keeper.update(answer(R"({"demo":500})"), "http://b2"));
  CHECK(keeper.listed_from("demo") == 500);
  CHECK_FALSE(keeper.listed_from("other"));
  REQUIRE(keeper.update(answer(""), "http://b2"));  // it has just started and does not know its listed links
  CHECK(keeper.listed_from("demo") == 500);
  REQUIRE(keeper.update(answer("{}"), "http://b2"));
  CHECK(keeper.listed_from("demo") == 700);
  CHECK_FALSE(keeper.update(answer("[]"), "http://b1"));
  CHECK(keeper.listed_from("demo") == 700);
  REQUIRE(keeper.update(answer(R"({"demo":600})"), "http://b1"));
  node.settle();
  ChannelMapStore later(folder.path(), node.disk_maintenance, node.log);
  later.load();
  CHECK(later.listed_from("demo") == 600);
  REQUIRE(later.update(answer("{}"), "http://b1"));
  CHECK_FALSE(later.listed_from("demo"));
}

TEST_CASE_FIXTURE(
    MediaRequestFlowFixture,
    "the listed links of a balancer expire when it is removed from the settings, or after a day without it") {
  const auto answer = [](std::int64_t from) {
    return R"({"version":"1","channels":[{"id":"demo","base":"http://origin.test/live/","extra_origins":[]}],"listed_links":{"demo":)" +
           std::to_string(from) + "}}";
  };
  const std::vector<std::string> both{"http://b1", "http://b2"};
  const base::SteadyTime begin{std::chrono::hours(1)};
  ChannelMapStore keeper("", node.disk_maintenance, node.log);
  REQUIRE(keeper.update(answer(500), "http://b1", begin, both));
  REQUIRE(keeper.update(answer(700), "http://b2", begin, both));
  CHECK(keeper.listed_from("demo") == 500);
  REQUIRE(keeper.update(answer(700), "http://b2", begin,
                        {"http://b2"}));  // the same links, but it is the only balancer now
  CHECK(keeper.listed_from("demo") == 700);

  REQUIRE(keeper.update(answer(500), "http://b1", begin, both));
  REQUIRE(keeper.update(answer(700), "http://b2", begin + std::chrono::hours(24), both));
  CHECK(keeper.listed_from("demo") == 500);
  REQUIRE(keeper.update(answer(700), "http://b2", begin + std::chrono::hours(25), both));
  CHECK(keeper.listed_from("demo") == 700);
  REQUIRE(keeper.update(answer(700), "http://b2", begin + std::chrono::hours(60),
                        both));  // the other one is absent: b2 is decisive
  CHECK(keeper.listed_from("demo") == 700);
}

TEST_CASE_FIXTURE(MediaRequestFlowFixture,
                  "an expired link is served while playlists list it, and a forged one is not") {
  node.fill("seg1.ts", body);
  auto link = node.link();
  link.expires = base::unix_seconds(node.clock.wall_now()) - 600;
  const auto query = contracts::signed_query(keys(), link, node.clock.wall_now());
  CHECK(ended(node.ask_raw("demo", "e1", "seg1.ts", query))->note.reason == "link_expired");
  REQUIRE(node.channels.update(
      R"({"version":"1","channels":[{"id":"demo","base":"http://origin.test/live/","extra_origins":[]}],"listed_links":{"demo":)" +
          std::to_string(link.expires) + "}}",
      "http://b1"));
  CHECK(ended(node.ask_raw("demo", "e1", "seg1.ts", query))->body() == body);
  CHECK(ended(node.ask_raw("demo", "e1", "seg2.ts", query))->note.reason == "link_invalid");
  --link.expires;
  CHECK(ended(node.ask_raw("demo", "e1", "seg1.ts", contracts::signed_query(keys(), link, node.clock.wall_now())))
            ->note.reason == "link_expired");
}

TEST_CASE("viewers are counted within 7 percent, and forgotten after two windows") {
  ViewerEstimate viewers;
  for (int round = 0; round < 3; ++round)
    for (std::uint16_t port = 1; port <= 3000; ++port) viewers.add("192.0.2.7", port);
  CHECK(viewers.viewers() > 2800);
  CHECK(viewers.viewers() < 3200);
  viewers.start_window();
  CHECK(viewers.viewers() > 2800);
  viewers.start_window();
  CHECK(viewers.viewers() == 0);
}

TEST_CASE_FIXTURE(MediaRequestFlowFixture,
                  "viewers get an object at the pace of their own link, and other nodes get it without a pace") {
  const auto ask = [&](std::int64_t pace_kbps, http::Headers headers = {}) {
    auto link = node.link();
    link.pace_kbps = pace_kbps;
    return node.ask_raw(link.channel, link.epoch, link.path,
                        contracts::signed_query(keys(), link, node.clock.wall_now()), std::move(headers));
  };
  const auto first = ask(8'000);
  node.answer(node.origin(), body);
  CHECK(ended(first)->pace_bps == 8'000'000);
  node.settle();
  CHECK(ended(ask(16'000))->pace_bps == 16'000'000);
  CHECK(ended(ask(0))->pace_bps == 0);
  const contracts::PeerMark mark{contracts::PeerMark::Kind::peer, "city", 0};
  const auto peer =
      ended(ask(16'000, contracts::mark_fields(keys(), mark, object_text(node.link()), node.clock.wall_now())));
  CHECK(peer->status() == 200);
  CHECK(peer->pace_bps == 0);
  CHECK(node.workers.asked() == 1);
}

TEST_CASE_FIXTURE(
    MediaRequestFlowFixture,
    "with cmsd each response states the bandwidth of a viewer while the node is in duress, and not afterwards") {
  auto view = std::make_shared<NodeView>(*node.view.get());
  view->settings.cmsd = true;
  node.view.publish(view);
  node.fill("seg1.ts", "segment");
  const auto said = [&] {
    const auto seen = node.ask();
    REQUIRE(seen->wait_end());
    return seen->header("CMSD-Dynamic");
  };
  const base::SteadyTime now{std::chrono::hours(1)};
  CHECK(said() == "\"stadium\"");
  node.duress.update(950, 1'000, 400, now);
  CHECK(said() == "\"stadium\";du;mb=2500");
  node.duress.update(100, 1'000, 400, now + std::chrono::seconds(10));
  CHECK(said() == "\"stadium\"");
}
