#include "contracts/node_push.h"

#include <doctest/doctest.h>

#include "contracts/channel_map.h"
#include "contracts/event.h"
#include "contracts/heartbeat.h"

using namespace tribune::contracts;

TEST_CASE("pushes and polls are read as they were written") {
  NodePushPoll question{"stadium", "run1", 7, 12, {}};
  CHECK(news_question_from_json(to_json(question)).value() == question);
  question.results = {{"o1", "", 7, {}}, {"o2", "the disk \"failed\"", 0, {5, 1, 1, 2, 1}}};
  CHECK(news_question_from_json(to_json(question)).value() == question);
  NodePush news{13, {"/media/demo/e1/seg1.ts?tl=e1.1.k1.mac", "/media/demo/e1/seg2.ts?a=b&tl=x"}, {}};
  CHECK(news_from_json(to_json(news)).value() == news);
  news.orders = {{"o1", PurgeOrder{PurgeOrder::By::tag, "match", true}}, {"o2", WarmOrder{"job", {"demo/e1/a.ts"}}}};
  CHECK(news_from_json(to_json(news)).value() == news);
}

TEST_CASE("pushes that are malformed or exceed the bound are refused") {
  for (const char* text : {R"({"number":1,"targets":[],"orders":[{"id":"o"}]})",
                           R"({"number":1,"targets":[],"orders":[{"id":"..","order":{"purge":{"url":"a/b/c"}}}]})"})
    CHECK_FALSE(news_from_json(text));
  for (const char* text :
       {"", "[]", "{}", R"({"number":1})", R"({"number":-1,"targets":[]})", R"({"number":1,"targets":[7]})",
        R"({"number":1,"targets":["http://x/"]})", R"({"number":1,"targets":["/a b"]})"}) {
    CAPTURE(text);
    CHECK_FALSE(news_from_json(text));
  }
  CHECK_FALSE(news_from_json(to_json(NodePush{1, std::vector<std::string>(kMaxNewsTargets + 1, "/a"), {}})));
  for (const char* text : {"{}", R"({"node":"a","run":"r","sequence":0})", R"({"node":"../a","run":"r","sequence":1})"})
    CHECK_FALSE(news_question_from_json(text));
}

TEST_CASE("the response to a heartbeat is a channel map with peers, and readers without peers ignore them") {
  Event event;
  event.channels.push_back({});
  event.channels.back().id = "demo";
  event.channels.back().source = "http://origin.test:81/live/a/master.m3u8";
  event.channels.back().backup_origins = {"http://backup.test"};
  const auto map = channel_map(event);
  const std::vector<Peer> peers{{"a", "http://10.0.0.1:8081"}, {"b", "http://10.0.0.2"}};
  const auto answer = heartbeat_answer(to_json(map), peers);
  CHECK(channel_map_from_json(answer).value() == map);
  CHECK(peers_from_answer(answer).value() == peers);
  CHECK(peers_from_answer(to_json(map)).value().empty());
  std::string unfit = "before";
  CHECK(peers_from_answer(answer, &unfit).value() == peers);
  CHECK(unfit.empty());
  CHECK(peers_from_answer(heartbeat_answer(to_json(map), peers, std::nullopt, "its \"memory\" is scarce"), &unfit)
            .value() == peers);
  CHECK(unfit == "its \"memory\" is scarce");
  CHECK_FALSE(peers_from_answer(R"({"peers":[{"id":"a","url":"ftp://x"}]})"));
  CHECK_FALSE(listed_from_answer(answer).value());
  const ListedLinks listed{{"demo", 1'700'000'000}};
  const auto with_links = heartbeat_answer(to_json(map), peers, listed);
  CHECK(channel_map_from_json(with_links).value() == map);
  CHECK(listed_from_answer(with_links).value() == listed);
  CHECK(listed_from_answer(heartbeat_answer(to_json(map), peers, ListedLinks{})).value() == ListedLinks{});
  for (const char* wrong : {R"({"listed_links":[]})", R"({"listed_links":{"../a":1}})", R"({"listed_links":{"a":-1}})",
                            R"({"listed_links":{"a":"1"}})"})
    CHECK_FALSE(listed_from_answer(wrong));
  const auto uri = to_uri(map.channels[0].origins, "720p/seg1.ts", "").value();
  const auto backups = backup_uris(map.channels[0].origins, uri);
  REQUIRE(backups.size() == 1);
  CHECK(backups[0].text() == "http://backup.test/live/a/720p/seg1.ts");
}

TEST_CASE("the response to a heartbeat names the backups that have other files, and readers without them ignore it") {
  const std::string map = R"({"version":"1","channels":[]})";
  const DistrustedBackups distrusted{{"demo", {"http://b1.test", "https://b2.test:8443"}},
                                     {"other", {"http://b1.test"}}};
  const auto read = [](const std::string& answer) {
    DistrustedBackups found;
    return listed_from_answer(answer, &found) ? std::optional(found) : std::nullopt;
  };
  const auto answer = heartbeat_answer(map, {}, ListedLinks{}, "", distrusted);
  CHECK(read(answer) == distrusted);
  CHECK(channel_map_from_json(answer).value().version == "1");
  CHECK(listed_from_answer(answer).value() == ListedLinks{});
  CHECK(heartbeat_answer(map, {}, ListedLinks{}, "", {}) == heartbeat_answer(map, {}, ListedLinks{}));
  CHECK(read(heartbeat_answer(map, {}, ListedLinks{})) == DistrustedBackups{});
  const auto of = [](const std::string& channels) { return R"({"distrusted_backups":)" + channels + "}"; };
  for (const char* wrong :
       {"[]", R"({"../a":[]})", R"({"a":1})", R"({"a":[1]})", R"({"a":["http://b/path"]})", R"({"a":["ftp://b"]})"}) {
    CAPTURE(wrong);
    CHECK_FALSE(read(of(wrong)));
  }
  const auto of_backups = [&](std::size_t count) {
    std::string list;
    for (std::size_t i = 0; i < count; ++i) list += (i == 0 ? "" : ",") + std::string(R"("http://b")");
    return of(R"({"a":[)" + list + "]}");
  };
  CHECK(read(of_backups(kMaxDistrustedBackups)));
  CHECK_FALSE(read(of_backups(kMaxDistrustedBackups + 1)));
}
