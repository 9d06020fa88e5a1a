// Objects whose responses depend on request fields (vary_rules.h).
#include <doctest/doctest.h>

#include "cache_node/node_under_test.h"
#include "cache_node/orders/purge.h"
#include "support/folder.h"

using namespace tribune;
using namespace tribune::cache_node;
using namespace tribune::test;

namespace {

struct Variants {
  static NodeUnderTest::Options options() {
    NodeUnderTest::Options options;
    options.retention_rules = parse_keep_rules("*.by *.told origin");
    options.vary_rules = {parse_vary_rule("*.told Accept-Language")};
    return options;
  }
  Folder folder;
  NodeUnderTest node{folder.path(), options()};

  static http::Headers varying(std::string_view on, std::string_view etag = "\"one\"") {
    return {{"Content-Type", "video/mp2t"},
            {"Cache-Control", "max-age=1000"},
            {"ETag", std::string(etag)},
            {"Vary", std::string(on)}};
  }
  std::shared_ptr<RecordedResponse> ended(std::shared_ptr<RecordedResponse> seen) {
    REQUIRE(seen->wait_end());
    return seen;
  }
  /// A request that causes a request to the origin.
  std::shared_ptr<RecordedResponse> filled(std::string_view path, http::Headers request, std::string_view body,
                                           const http::Headers& answer) {
    const auto n = node.workers.client().count();
    const auto seen = node.ask(path, std::move(request));
    node.answer(node.origin(n), body, answer);
    ended(seen);
    node.settle();
    return seen;
  }
  std::shared_ptr<RecordedResponse> held(std::string_view path, http::Headers request) {
    const auto n = node.workers.asked();
    const auto seen = ended(node.ask(path, std::move(request)));
    CHECK(node.workers.asked() == n);
    return seen;
  }
};

}  // namespace

TEST_CASE_FIXTURE(
    Variants, "a response that varies on fields that the node sets or answers itself is stored once for all viewers") {
  filled("a.by", {{"Origin", "https://one.test"}}, "bytes", varying("Origin, Accept-Encoding"));
  const auto seen = held("a.by", {{"Origin", "https://two.test"}, {"Accept-Encoding", "gzip"}});
  CHECK(seen->body() == "bytes");
  CHECK(seen->header("Cache-Control") == "max-age=1000");
  CHECK(node.fill_metrics.varied.value() == 0);
}

TEST_CASE_FIXTURE(
    Variants,
    "with the rule origin, a response that varies on an unlisted field goes to its request only and is not stored") {
  for (const char* agent : {"one", "one", "two"}) {
    const auto seen = filled("a.by", {{"User-Agent", agent}}, "bytes", varying("Origin, User-Agent"));
    CHECK(seen->body() == "bytes");
    CHECK(seen->header("Cache-Status").find("detail=vary_any") != std::string::npos);
    CHECK(node.index.totals().objects == 0);
  }
  CHECK(node.fill_metrics.varied.value() == 3);
  CHECK_FALSE(node.varied.is_first("demo"));
}

TEST_CASE_FIXTURE(Variants, "a stored object is removed when the origin says that it varies on an unlisted field") {
  filled("a.by", {}, "old", {{"Content-Type", "video/mp2t"}, {"Cache-Control", "max-age=0"}, {"ETag", "\"one\""}});
  CHECK(node.index.totals().objects == 1);
  CHECK(filled("a.by", {}, "new", varying("Cookie", "\"two\""))->body() == "new");
  CHECK(node.index.totals().objects == 0);
}

TEST_CASE_FIXTURE(Variants,
                  "without the rule origin an object is stored for all viewers, and its unlisted fields are counted") {
  filled("seg1.ts", {{"User-Agent", "one"}}, "bytes", varying("User-Agent"));
  CHECK(held("seg1.ts", {{"User-Agent", "two"}})->body() == "bytes");
  CHECK(node.fill_metrics.varied.value() == 1);
  CHECK_FALSE(node.origin()->request.headers.first("User-Agent"));
}

TEST_CASE_FIXTURE(
    Variants, "each value of a listed field has its own object, which is requested from the origin with that value") {
  const http::Headers german{{"Accept-Language", "de, en;q=0.5"}, {"Cookie", "a"}};
  const auto seen = filled("a.told", german, "ja", varying("Accept-Language"));
  CHECK(seen->header("Vary") == "Accept-Language");
  CHECK(node.origin(0)->request.headers.first("Accept-Language") == "de, en;q=0.5");
  CHECK_FALSE(node.origin(0)->request.headers.first("Cookie"));
  filled("a.told", {{"Accept-Language", "en"}}, "yes", varying("Accept-Language"));
  filled("a.told", {}, "si", varying("Accept-Language"));
  CHECK_FALSE(node.origin(2)->request.headers.first("Accept-Language"));
  const auto again = held("a.told", {{"Accept-Language", "DE"}, {"Accept-Language", "en;q=0.5"}});
  CHECK(again->body() == "ja");
  CHECK(again->header("Vary") == "Accept-Language");
  CHECK(held("a.told", {{"Accept-Language", "en"}})->body() == "yes");
  CHECK(held("a.told", {})->body() == "si");
  CHECK(node.index.totals().objects == 3);
  CHECK(node.fill_metrics.varied.value() == 0);
}

TEST_CASE_FIXTURE(Variants, "a purge by URL removes all variants of the object and no other") {
  Purge purge{node.index, node.journal, node.disk_maintenance, node.disk, node.log, node.metrics};
  for (const char* language : {"de", "en"})
    filled("a.told", {{"Accept-Language", language}}, language, varying("Origin"));
  filled("a.told", {}, "none", varying("Origin"));
  filled("aa.told", {{"Accept-Language", "de"}}, "de", varying("Origin"));
  std::promise<std::uint64_t> done;
  purge.run(
      {contracts::PurgeOrder::By::url, "demo/e1/a.told", false},
      [&](const base::Result<std::uint64_t>& purged) { done.set_value(purged.value_or(999)); }, true);
  CHECK(done.get_future().get() == 3);
  node.settle();
  CHECK(node.index.totals().objects == 1);
  CHECK(held("aa.told", {{"Accept-Language", "de"}})->body() == "de");
}
