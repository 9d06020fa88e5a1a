#include "contracts/order.h"

#include <doctest/doctest.h>

using namespace tribune::contracts;
using By = PurgeOrder::By;

TEST_CASE("an order is the same after a round trip through JSON") {
  const std::vector<Order> orders = {PurgeOrder{By::url, "demo/e1/a.ts?v=2", false},
                                     PurgeOrder{By::prefix, "demo/e1/", true},
                                     PurgeOrder{By::channel, "demo", false},
                                     PurgeOrder{By::tag, "half-1", true},
                                     PurgeOrder{By::all, "*", false},
                                     WarmOrder{"job1", {"demo/e1/a.ts", "demo/e1/b.ts"}},
                                     ProgressQuestion{"job1"}};
  for (const auto& order : orders) {
    const auto read = order_from_json(to_json(order));
    REQUIRE(read);
    CHECK(*read == order);
  }
}

TEST_CASE("an order with missing, surplus or invalid members is refused") {
  for (const char* text :
       {"", "[]", "{}", R"({"purge":{}})", R"({"purge":{"url":"a","tag":"b"}})", R"({"purge":{"url":""}})",
        R"({"purge":{"url":"a b"}})", R"({"purge":{"url":"a","sofd":true}})", R"({"purge":{"url":"a","soft":1}})",
        R"({"purge":{"channel":"A B"}})", R"({"purge":{"url":7}})", R"({"warm":{"job":"x","urls":[]}})",
        R"({"warm":{"urls":["a"]}})", R"({"warm":{"job":"x","urls":[1]}})", R"({"progress":{}})",
        R"({"purge":{"prefix":"/media/"}})", R"({"purge":{"all":"x"}})", R"({"dance":{"job":"x"}})",
        R"({"progress":{"job":"x"},"purge":{"url":"a"}})"})
    CHECK_MESSAGE(!order_from_json(text), text);
}

TEST_CASE("an object is found by its URL, whichever part of the link is given") {
  for (const char* url : {"demo/e1/v/a.ts", "/demo/e1/v/a.ts", "/media/demo/e1/v/a.ts",
                          "http://node:81/media/demo/e1/v/a.ts", "http://node/media/demo/e1/v/a.ts?tl=e1.5.k.x&CMCD=y"})
    CHECK(object_of_url(url) == "demo/e1/v/a.ts");
  CHECK(object_of_url("/media/demo/e1/a.ts?v=2&tl=e1.5.k.x") == "demo/e1/a.ts?v=2");
  CHECK(object_of_url("/media/demo/e1/a.ts?v=2") == "demo/e1/a.ts?v=2");
  CHECK(object_of_url("http://node") == "");
}

TEST_CASE("a purge matches exactly what it names") {
  CHECK(is_meant({By::url, "demo/e1/a.ts", false}, "demo/e1/a.ts", ""));
  CHECK_FALSE(is_meant({By::url, "demo/e1/a.ts", false}, "demo/e1/a.ts?v=2", ""));
  CHECK(is_meant({By::prefix, "demo/e1/v", false}, "demo/e1/v1/a.ts", ""));
  CHECK_FALSE(is_meant({By::prefix, "demo/e1/v", false}, "demo/e2/v1/a.ts", ""));
  CHECK(is_meant({By::channel, "demo", false}, "demo/e1/a.ts", ""));
  CHECK_FALSE(is_meant({By::channel, "demo", false}, "demo2/e1/a.ts", ""));
  CHECK(is_meant({By::tag, "half-1", false}, "k", " match half-1"));
  CHECK(is_meant({By::tag, "match", false}, "k", " match half-1"));
  CHECK_FALSE(is_meant({By::tag, "half", false}, "k", " match half-1"));
  CHECK_FALSE(is_meant({By::tag, "half-1", false}, "k", " match-half-1 half-12"));
}

TEST_CASE("tags are read from both fields that origins use") {
  CHECK(tags_of("match half-1", "sport, live") == " match half-1 sport live");
  CHECK(tags_of("", "") == "");
  CHECK(tags_of("  a\t b ", ",,c,") == " a b c");
}

TEST_CASE("a purge covers an older one if it matches every object that the older one matches") {
  const auto c = [](By newer, const char* what, By older, const char* of) {
    return covers({newer, what, false}, {older, of, false});
  };
  CHECK(c(By::url, "demo/e/a", By::url, "demo/e/a"));
  CHECK(c(By::all, "*", By::tag, "x"));
  CHECK(c(By::channel, "demo", By::url, "demo/e/a"));
  CHECK(c(By::channel, "demo", By::prefix, "demo/e"));
  CHECK(c(By::prefix, "demo/", By::channel, "demo"));
  CHECK(c(By::prefix, "dem", By::channel, "demo"));
  CHECK(c(By::prefix, "demo/e/", By::url, "demo/e/a"));
  CHECK(c(By::tag, "x", By::tag, "x"));
  CHECK_FALSE(c(By::channel, "demo", By::prefix, "demo"));  // the prefix matches demo2, too
  CHECK_FALSE(c(By::channel, "dem", By::url, "demo/e/a"));
  CHECK_FALSE(c(By::url, "demo/e/a", By::prefix, "demo/e/a"));
  CHECK_FALSE(c(By::prefix, "demo/e/a", By::prefix, "demo/e/"));
  CHECK_FALSE(c(By::channel, "demo", By::tag, "x"));
  CHECK_FALSE(c(By::channel, "demo", By::all, "*"));
  CHECK_FALSE(covers({By::channel, "demo", true}, {By::url, "demo/e/a", false}));
  CHECK(covers({By::channel, "demo", false}, {By::url, "demo/e/a", true}));
}

TEST_CASE("the log does not contain the query of a purged URL") {
  CHECK(log_text({By::url, "demo/e/a.m3u8?token=secret", false}) == "demo/e/a.m3u8?...");
  CHECK(log_text({By::channel, "demo", false}) == "demo");
}
