#include "contracts/channel_map.h"

#include <doctest/doctest.h>

#include "contracts/epoch.h"
#include "contracts/event.h"

using namespace tribune::contracts;

TEST_CASE("the channel map names every channel's origins, and its version follows the content") {
  Event event;
  event.channels.resize(2);
  event.channels[0].id = "a";
  event.channels[0].source = "http://o/live/a/index.m3u8";
  event.channels[1].id = "b";
  event.channels[1].source = "http://o/live/b/index.m3u8";
  event.channels[1].extra_origins = {"https://ads.example"};
  const auto map = channel_map(event);
  REQUIRE(map.find("b"));
  CHECK(map.find("b")->origins.base == "http://o/live/b/");
  CHECK(map.find("c") == nullptr);
  const auto read = channel_map_from_json(to_json(map));
  REQUIRE(read);
  CHECK(*read == map);
  CHECK(channel_map(event).version == map.version);
  event.channels[1].extra_origins.clear();
  CHECK(channel_map(event).version != map.version);
}

TEST_CASE("channel maps with invalid or ambiguous origins are refused") {
  for (const std::string text :
       {"", "[]", "{}", R"({"version":"1"})", R"({"version":"","channels":[]})", R"({"version":"1","channels":[1]})",
        R"({"version":"1","channels":[{"id":"a"}]})", R"({"version":"1","channels":[{"id":"a","base":"http://o/x"}]})",
        R"({"version":"1","channels":[{"id":"a","base":"file:///etc/"}]})",
        R"({"version":"1","channels":[{"id":"../a","base":"http://o/"}]})",
        R"({"version":"1","channels":[{"id":"a","base":"http://o/","extra_origins":["http://o/path"]}]})",
        R"({"version":"1","channels":[{"id":"a","base":"http://o/","former":{}}]})",
        R"({"version":"1","channels":[{"id":"a","base":"http://o/","former":[1]}]})",
        R"({"version":"1","channels":[{"id":"a","base":"http://o/","former":[{"base":"file:///"}]}]})",
        R"({"version":"1","channels":[{"id":"a","base":"http://o/"},{"id":"a","base":"http://p/"}]})"}) {
    CAPTURE(text);
    CHECK_FALSE(channel_map_from_json(text));
  }
}

TEST_CASE("a map keeps the former origins of its channels, each for the epochs that were made for it") {
  const auto at = [](const std::string& base) { return OriginSet{base, {}, {}}; };
  const auto map_of = [&](const std::string& base) {
    return ChannelMap{base, {{"a", at(base)}, {"b", at("http://b/")}}};
  };
  const auto first = map_of("http://o/1/"), second = map_of("http://o/2/");
  auto map = with_former(second, first);
  REQUIRE(map.find("a")->former.size() == 1);
  CHECK(map.find("b")->former.empty());
  CHECK(map.version == second.version);
  const auto read = channel_map_from_json(to_json(map));
  REQUIRE(read);
  CHECK(*read == map);
  const auto* channel = map.find("a");
  CHECK(channel->origins_of(new_epoch(at("http://o/2/")))->base == "http://o/2/");
  CHECK(channel->origins_of(new_epoch(at("http://o/1/")))->base == "http://o/1/");
  CHECK_FALSE(channel->origins_of(new_epoch(at("http://o/3/"))));
  CHECK(channel->origins_of("k3x0a1b2")->base == "http://o/2/");

  // Balancers with different configurations alternate.
  map = with_former(first, map);
  CHECK(map.find("a")->origins == at("http://o/1/"));
  CHECK(map.find("a")->former == std::vector{at("http://o/2/")});

  for (int i = 3; i < 20; ++i) map = with_former(map_of("http://o/" + std::to_string(i) + "/"), map);
  CHECK(map.find("a")->former.size() == kMaxFormerOrigins);
  CHECK(map.find("a")->former.front() == at("http://o/18/"));
}
