// Objects that the origin may change under their name (keep_rules.h).
#include <doctest/doctest.h>

#include "node_under_test.h"

using namespace tribune;
using namespace tribune::cache_node;
using namespace tribune::cache_node::testing;

namespace {

struct Keeping {
  static NodeUnderTest::Options options() {
    NodeUnderTest::Options options;
    options.keep = {{"*.key", std::chrono::seconds(3600)}, {"*.m3u8", std::chrono::seconds(0)}};
    return options;
  }
  Folder folder;
  NodeUnderTest node{folder.path(), options()};
  const http::Headers tagged{{"Content-Type", "application/octet-stream"}, {"ETag", "\"one\""}};

  std::shared_ptr<Seen> ended(std::shared_ptr<Seen> seen) {
    REQUIRE(seen->wait_end());
    return seen;
  }
  void unchanged(const std::shared_ptr<Asked>& asked) {
    node.workers.on(0, [&] { ScriptedClient::head(*asked, 304, tagged, std::nullopt); });
  }
};

}  // namespace

TEST_CASE_FIXTURE(Keeping, "what no rule names is immutable, a named object is for its time only") {
  node.fill("seg1.ts", "segment");
  node.fill("1.key", "0123456789abcdef");
  CHECK(ended(node.ask("seg1.ts"))->header("Cache-Control").ends_with(", immutable"));
  CHECK(ended(node.ask("1.key"))->header("Cache-Control") == "public, max-age=3600");
  CHECK(node.workers.asked() == 2);
}

TEST_CASE_FIXTURE(Keeping, "with no time the origin is asked each time, with the validator, and its 304 costs no body") {
  node.fill("a.m3u8", "#EXTM3U", tagged);
  for (std::size_t n = 1; n <= 3; ++n) {
    const auto seen = node.ask("a.m3u8");
    const auto asked = node.origin(n);
    CHECK(asked->request.headers.first("If-None-Match") == "\"one\"");
    unchanged(asked);
    CHECK(ended(seen)->body == "#EXTM3U");
    CHECK(seen->header("Cache-Control") == "no-cache");
  }
  CHECK(node.workers.asked() == 4);
}

TEST_CASE_FIXTURE(Keeping, "what the origin changed replaces what was there") {
  node.fill("a.m3u8", "old", tagged);
  const auto seen = node.ask("a.m3u8");
  node.answer(node.origin(1), "new", {{"Content-Type", "x/y"}, {"ETag", "\"two\""}});
  CHECK(ended(seen)->body == "new");
  node.settle();
  CHECK(node.index.totals().objects == 1);
}

TEST_CASE_FIXTURE(Keeping, "when the origin fails, what is there serves, and for a moment nobody asks again") {
  node.fill("a.m3u8", "old", tagged);
  const auto seen = node.ask("a.m3u8");
  const auto asked = node.origin(1);
  node.workers.on(0, [&] { ScriptedClient::head(*asked, 410, {}, 0); });
  CHECK(ended(seen)->body == "old");
  CHECK(ended(node.ask("a.m3u8"))->body == "old");
  CHECK(node.workers.asked() == 2);
}

TEST_CASE_FIXTURE(Keeping, "all who ask at once share the question") {
  node.fill("a.m3u8", "old", tagged);
  std::vector<std::shared_ptr<Seen>> crowd;
  for (std::size_t i = 0; i < 20; ++i) crowd.push_back(node.ask("a.m3u8"));
  unchanged(node.origin(1));
  for (const auto& seen : crowd) CHECK(ended(seen)->body == "old");
  CHECK(node.workers.asked() == 2);
}

TEST_CASE_FIXTURE(Keeping, "the age of an object counts from when the origin last said that nothing changed") {
  node.fill("1.key", "0123456789abcdef", tagged);
  const auto key = object_key(node.link("1.key"));
  const auto found = node.index.find_or_begin(key, node.clock.steady_now());
  const auto object = std::get<ObjectPtr>(found);
  object->stored = object->stored - 3600;
  const auto seen = node.ask("1.key");
  unchanged(node.origin(1));
  CHECK(ended(seen)->header("Age").size() == 1);   // not 3600
  CHECK(ended(node.ask("1.key"))->note.cache == "hit");
  CHECK(node.workers.asked() == 2);
}
