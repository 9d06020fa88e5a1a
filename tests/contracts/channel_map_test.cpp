#include "contracts/channel_map.h"

#include <doctest/doctest.h>

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
        R"({"version":"1","channels":[{"id":"a","base":"http://o/"},{"id":"a","base":"http://p/"}]})"}) {
    CAPTURE(text);
    CHECK_FALSE(channel_map_from_json(text));
  }
}
