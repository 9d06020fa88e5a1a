// Objects that the origin may change under the same name (retention_rules.h).
#include <doctest/doctest.h>

#include "cache_node/node_under_test.h"
#include "support/folder.h"

using namespace tribune;
using namespace tribune::cache_node;
using namespace tribune::test;

namespace {

struct Keeping {
  static NodeUnderTest::Options options() {
    NodeUnderTest::Options options;
    options.fill.keep_errors = std::chrono::minutes(1);  // independent of the speed of the test
    for (const char* rule : {"*.key 1h", "*.m3u8 0s", "*.vod origin"}) {
      const auto rules = parse_keep_rules(rule);
      options.retention_rules.insert(options.retention_rules.end(), rules.begin(), rules.end());
    }
    return options;
  }
  Folder folder;
  NodeUnderTest node{folder.path(), options()};
  const http::Headers tagged{{"Content-Type", "application/octet-stream"}, {"ETag", "\"one\""}};

  std::shared_ptr<RecordedResponse> ended(std::shared_ptr<RecordedResponse> seen) {
    REQUIRE(seen->wait_end());
    return seen;
  }
  void unchanged(const std::shared_ptr<Asked>& asked, std::string_view terms = "") {
    auto headers = tagged;
    if (!terms.empty()) headers.add("Cache-Control", terms);
    node.workers.on(0, [&] { ScriptedClient::head(*asked, 304, headers, std::nullopt); });
  }
  void refused(const std::shared_ptr<Asked>& asked, int status) {
    node.workers.on(0, [&] { ScriptedClient::head(*asked, status, {}, 0); });
  }
  static http::Headers saying(std::string_view terms) {
    return {{"Content-Type", "video/mp2t"}, {"ETag", "\"one\""}, {"Cache-Control", std::string(terms)}};
  }
  /// Simulates that this many seconds have passed.
  void grow_old(std::string_view path, std::uint32_t seconds) {
    const auto found = node.index.find_or_begin(object_key(node.link(path)), node.clock.steady_now());
    const auto& object = std::get<ObjectPtr>(found);
    object->stored = object->stored - seconds;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Keeping, "an object without a rule is immutable, and one with a rule is cached for its time only") {
  node.fill("seg1.ts", "segment");
  node.fill("1.key", "0123456789abcdef");
  CHECK(ended(node.ask("seg1.ts"))->header("Cache-Control").ends_with(", immutable"));
  CHECK(ended(node.ask("1.key"))->header("Cache-Control") == "public, max-age=3600");
  CHECK(node.workers.asked() == 2);
}

TEST_CASE_FIXTURE(Keeping, "with a time of zero every request revalidates the object, and a 304 transfers no body") {
  node.fill("a.m3u8", "#EXTM3U", tagged);
  for (std::size_t n = 1; n <= 3; ++n) {
    const auto seen = node.ask("a.m3u8");
    const auto asked = node.origin(n);
    CHECK(asked->request.headers.first("If-None-Match") == "\"one\"");
    unchanged(asked);
    CHECK(ended(seen)->body() == "#EXTM3U");
    CHECK(seen->header("Cache-Control") == "no-cache");
  }
  CHECK(node.workers.asked() == 4);
}

TEST_CASE_FIXTURE(Keeping, "a changed object replaces the stored one") {
  node.fill("a.m3u8", "old", tagged);
  const auto seen = node.ask("a.m3u8");
  node.answer(node.origin(1), "new", {{"Content-Type", "x/y"}, {"ETag", "\"two\""}});
  CHECK(ended(seen)->body() == "new");
  node.settle();
  CHECK(node.index.totals().objects == 1);
}

TEST_CASE_FIXTURE(Keeping,
                  "when the origin fails the stored object is served, and the origin is not requested again at once") {
  node.fill("a.m3u8", "old", tagged);
  const auto seen = node.ask("a.m3u8");
  const auto asked = node.origin(1);
  node.workers.on(0, [&] { ScriptedClient::head(*asked, 410, {}, 0); });
  CHECK(ended(seen)->body() == "old");
  CHECK(ended(node.ask("a.m3u8"))->body() == "old");
  CHECK(node.workers.asked() == 2);
}

TEST_CASE_FIXTURE(Keeping, "concurrent requests share one revalidation") {
  node.fill("a.m3u8", "old", tagged);
  std::vector<std::shared_ptr<RecordedResponse>> crowd;
  for (std::size_t i = 0; i < 20; ++i) crowd.push_back(node.ask("a.m3u8"));
  unchanged(node.origin(1));
  for (const auto& seen : crowd) CHECK(ended(seen)->body() == "old");
  CHECK(node.workers.asked() == 2);
}

TEST_CASE_FIXTURE(Keeping, "the age of an object counts from its last validation") {
  node.fill("1.key", "0123456789abcdef", tagged);
  const auto key = object_key(node.link("1.key"));
  const auto found = node.index.find_or_begin(key, node.clock.steady_now());
  const auto object = std::get<ObjectPtr>(found);
  object->stored = object->stored - 3600;
  const auto seen = node.ask("1.key");
  unchanged(node.origin(1));
  CHECK(ended(seen)->header("Age").size() == 1);  // one digit, not 3600
  CHECK(ended(node.ask("1.key"))->note.cache == "hit");
  CHECK(node.workers.asked() == 2);
}

TEST_CASE_FIXTURE(Keeping, "a complete fill that is not stored yet survives a failed revalidation") {
  const auto key = object_key(node.link("a.m3u8"));
  const auto now = node.clock.steady_now();
  const auto first =
      std::get<ObjectIndex::Joined>(node.index.find_or_begin(key, now)).fill;  // it is never written to disk
  first->begin({"text/plain", "\"one\"", -1}, 3);
  first->append("new", now);
  first->finish("", base::unix_seconds(node.clock.wall_now()), 0);
  const auto renewed =
      std::get<ObjectIndex::Joined>(node.index.find_or_renew(key, now, node.index.find_or_begin(key, now)));
  REQUIRE(renewed.began);
  CHECK(renewed.fill->previous()->etag == "\"one\"");
  CHECK(node.index.abandon(*renewed.fill, {&http::problems::origin_broken, "no", "origin_error"},
                           now + std::chrono::minutes(1)));
  const auto again = ended(node.ask("a.m3u8"));
  CHECK(again->body() == "new");
  CHECK(again->note.cache == "stale");
}

TEST_CASE_FIXTURE(Keeping, "two concurrent requests of a stale object begin one fill") {
  node.fill("a.m3u8", "old", tagged);
  const auto key = object_key(node.link("a.m3u8"));
  const auto found = node.index.find_or_begin(key, node.clock.steady_now());
  const auto first = std::get<ObjectIndex::Joined>(node.index.find_or_renew(key, node.clock.steady_now(), found));
  const auto second = std::get<ObjectIndex::Joined>(node.index.find_or_renew(key, node.clock.steady_now(), found));
  CHECK(first.began);
  CHECK_FALSE(second.began);
  CHECK(first.fill == second.fill);
  CHECK(node.index.abandon(*first.fill));
}

TEST_CASE_FIXTURE(
    Keeping, "without a rule for a path the terms of the origin apply when no playlist can list the object any more") {
  node.fill("segment/1", "segment", saying("max-age=10"));
  CHECK(ended(node.ask("segment/1"))->header("Cache-Control") == "max-age=10");
  grow_old("segment/1", 30);  // stale by the terms of the origin, but possibly still listed
  CHECK(ended(node.ask("segment/1"))->note.cache == "hit");
  grow_old("segment/1", 30);
  const auto seen = node.ask("segment/1");
  unchanged(node.origin(1), "max-age=1000");
  CHECK(ended(seen)->header("Cache-Status").starts_with("stadium; fwd=stale; fwd-status=304; ttl="));
  CHECK(seen->note.cache == "revalidated");
  CHECK(seen->header("Cache-Control") == "max-age=1000");
  grow_old("segment/1", 900);  // the terms of the 304 apply
  CHECK(ended(node.ask("segment/1"))->note.cache == "hit");
  CHECK(node.workers.asked() == 2);
}

TEST_CASE_FIXTURE(
    Keeping,
    "a listed segment with no-store or private is served while it may be listed, and fetched again afterwards") {
  for (const char* terms : {"no-store", "private, max-age=9999", "no-cache"}) {
    const auto n = node.workers.asked();
    const auto path = "segment/" + std::to_string(n);
    node.fill(path, "segment", saying(terms));
    CHECK(ended(node.ask(path))->note.cache == "hit");
    grow_old(path, 60);
    const auto seen = node.ask(path);
    node.answer_in_halves(node.origin(n + 1), "changed", {seen}, saying(terms));
    CHECK(ended(seen)->body() == "changed");
    CHECK(seen->header("Cache-Status") == "stadium; fwd=stale; fwd-status=200");
    node.settle();
  }
}

TEST_CASE_FIXTURE(
    Keeping, "with the rule origin, no-store and private responses go to the waiting requests and are not stored") {
  for (const char* terms : {"no-store", "private, max-age=60"}) {
    const auto n = node.workers.asked();
    const auto path = std::to_string(n) + ".vod";
    const auto first = node.ask(path), second = node.ask(path);
    node.answer(node.origin(n), "once", saying(terms));
    CHECK(ended(first)->body() == "once");
    CHECK(ended(second)->body() == "once");
    CHECK(first->header("Cache-Control") == terms);
    CHECK(first->header("Cache-Status").starts_with("stadium; fwd=miss; fwd-status=200; detail="));
    node.settle();
    const auto third = node.ask(path);
    node.answer(node.origin(n + 1), "twice", saying(terms));
    CHECK(ended(third)->body() == "twice");
    node.settle();
  }
  CHECK(node.index.totals().objects == 0);
}

TEST_CASE_FIXTURE(Keeping, "CDN-Cache-Control applies to the node, Cache-Control to viewers") {
  auto headers = saying("no-cache");
  headers.add("CDN-Cache-Control", "max-age=100");
  node.fill("1.vod", "film", headers);
  grow_old("1.vod", 60);
  const auto seen = ended(node.ask("1.vod"));
  CHECK(seen->note.cache == "hit");
  CHECK(seen->header("Cache-Control") == "no-cache");
  CHECK(seen->header("CDN-Cache-Control") == "max-age=100");
  grow_old("1.vod", 40);
  const auto later = node.ask("1.vod");
  unchanged(node.origin(1));
  CHECK(ended(later)->note.cache == "revalidated");
}

TEST_CASE_FIXTURE(Keeping,
                  "within stale-while-revalidate the stale object is served while one request revalidates it") {
  node.fill("1.vod", "film", saying("max-age=10, stale-while-revalidate=30"));
  grow_old("1.vod", 12);
  for (int i = 0; i < 3; ++i) {
    const auto seen = ended(node.ask("1.vod"));
    CHECK(seen->body() == "film");
    CHECK(seen->note.cache == "stale");
    CHECK(seen->header("Cache-Status").find("hit; ttl=-") != std::string::npos);
    CHECK(seen->header("Cache-Status").ends_with("detail=stale-while-revalidate"));
  }
  CHECK(node.workers.asked() == 2);
  node.answer(node.origin(1), "another", saying("max-age=10"));
  node.settle();
  CHECK(ended(node.ask("1.vod"))->body() == "another");
}

TEST_CASE_FIXTURE(Keeping, "a stale object is served when the origin fails, unless its terms forbid it") {
  node.fill("1.vod", "film", saying("max-age=10, stale-if-error=60"));
  grow_old("1.vod", 20);
  const auto seen = node.ask("1.vod");
  const auto failing = node.origin(1);
  node.workers.on(
      0, [&] { ScriptedClient::done(*failing, base::failure(base::ErrorKind::protocol, base::Fault::origin, "no")); });
  CHECK(ended(seen)->body() == "film");
  CHECK(seen->header("Cache-Status").starts_with("stadium; fwd=stale; ttl=-"));
  CHECK(seen->header("Cache-Status").ends_with("detail=origin_broken"));
  const auto asked = node.workers.asked();
  node.fill("2.vod", "film", saying("max-age=10, must-revalidate"));
  grow_old("2.vod", 20);
  const auto strict = node.ask("2.vod");
  refused(node.origin(asked + 1), 451);
  CHECK(ended(strict)->status() == 502);
  const auto soon = ended(node.ask("2.vod"));
  CHECK(soon->status() == 504);
  CHECK(soon->note.reason == "must_revalidate");
}

TEST_CASE_FIXTURE(Keeping, "with the rule origin, an object that the origin reports as gone is removed") {
  node.fill("1.vod", "film", saying("max-age=10"));
  grow_old("1.vod", 20);
  const auto seen = node.ask("1.vod");
  refused(node.origin(1), 410);
  CHECK(ended(seen)->status() == 404);
  node.settle();
  CHECK(node.index.totals().objects == 0);
}

TEST_CASE_FIXTURE(Keeping, "an object without an ETag is revalidated by its Last-Modified date") {
  node.fill("1.vod", "film", {{"Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT"}, {"Cache-Control", "max-age=0"}});
  const auto seen = node.ask("1.vod");
  const auto asked = node.origin(1);
  CHECK(asked->request.headers.first("If-Modified-Since") == "Tue, 14 Nov 2023 22:13:20 GMT");
  CHECK_FALSE(asked->request.headers.first("If-None-Match"));
  unchanged(asked);
  CHECK(ended(seen)->body() == "film");
}
