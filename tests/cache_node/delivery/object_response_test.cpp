#include "cache_node/delivery/object_response.h"

#include <doctest/doctest.h>

using namespace tribune;
using namespace tribune::cache_node;

namespace {

const ObjectHead kHead{"video/mp2t", "\"v1\"", 1'700'000'000};

http::Request asking(http::Headers headers, http::Method method = http::Method::get) {
  http::Request request;
  request.method = method;
  request.headers = std::move(headers);
  return request;
}

Choice choice(http::Headers headers, http::Method method = http::Method::get) {
  return choose(asking(std::move(headers), method), kHead, 1000);
}

}  // namespace

TEST_CASE("a plain request gets the whole body, and a single range its part") {
  CHECK(choice({}).status == 200);
  CHECK(choice({}).length == 1000);
  const auto part = choice({{"Range", "bytes=100-199"}});
  CHECK(part.status == 206);
  CHECK(part.part == http::ByteRange{100, 199});
  CHECK(choice({{"Range", "bytes=990-"}}).length == 10);
  CHECK(choice({{"Range", "bytes=-10"}}).part.first == 990);
  CHECK(choice({{"Range", "bytes=0-5000"}}).length == 1000);
}

TEST_CASE("a range that cannot be satisfied gets 416, and anything but a valid single range the whole body") {
  CHECK(choice({{"Range", "bytes=1000-"}}).status == 416);
  CHECK(choice({{"Range", "bytes=-0"}}).status == 416);
  for (const char* range : {"bytes=5-2", "bytes=a-b", "lines=0-1", "bytes=0-1,5-6", "bytes=0-,0-,0-"})
    CHECK(choice({{"Range", range}}).status == 200);
  CHECK(choice({{"Range", "bytes=0-1"}}, http::Method::head).status == 200);
  CHECK(choice({{"Range", "bytes=0-1"}, {"If-Range", "\"v1\""}}).status == 206);
  CHECK(choice({{"Range", "bytes=0-1"}, {"If-Range", "\"v2\""}}).status == 200);
}

TEST_CASE("conditional requests are answered without a body when the validators match") {
  CHECK(choice({{"If-None-Match", "\"v1\""}}).status == 304);
  CHECK(choice({{"If-None-Match", "W/\"v1\", \"x\""}}).status == 304);
  CHECK(choice({{"If-None-Match", "\"v2\""}}).status == 200);
  CHECK(choice({{"If-Match", "\"v2\""}}).status == 412);
  CHECK(choice({{"If-None-Match", "\"v1\""}, {"Range", "bytes=0-1"}}).status == 304);
}

TEST_CASE("the fields of a response state the object, its age, its lifetime and the cache") {
  AnswerFacts facts;
  facts.node = "stadium";
  facts.cache.hit = true;
  facts.age = 7;
  facts.link_life = 100;
  const auto whole = answer(choice({}), kHead, 1000, facts);
  CHECK(whole.headers.first("Age") == "7");
  CHECK(whole.headers.first("Cache-Control") == "public, max-age=107, immutable");
  CHECK(whole.headers.first("Cache-Status") == "stadium; hit");
  CHECK(whole.headers.first("Content-Type") == "video/mp2t");
  CHECK(whole.headers.first("Accept-Ranges") == "bytes");
  CHECK(whole.headers.first("ETag") == "\"v1\"");
  CHECK(whole.headers.first("Last-Modified") == "Tue, 14 Nov 2023 22:13:20 GMT");
  CHECK(answer(choice({{"Range", "bytes=5-9"}}), kHead, 1000, facts).headers.first("Content-Range") ==
        "bytes 5-9/1000");
  const auto unsatisfied = answer(choice({{"Range", "bytes=1000-"}}), kHead, 1000, facts);
  CHECK(unsatisfied.headers.first("Content-Range") == "bytes */1000");
  CHECK(unsatisfied.headers.first("Content-Type") == "application/problem+json");
  const auto unmodified = answer(choice({{"If-None-Match", "\"v1\""}}), kHead, 1000, facts);
  CHECK(unmodified.headers.first("ETag") == "\"v1\"");
  CHECK_FALSE(unmodified.headers.first("Content-Type").has_value());
}

TEST_CASE("responses to other nodes have the tags by which an object is purged, responses to viewers do not") {
  auto head = kHead;
  head.tags = " match half-1";
  AnswerFacts facts;
  CHECK_FALSE(answer(choice({}), head, 1000, facts).headers.first("Surrogate-Key"));
  facts.for_node = true;
  CHECK(answer(choice({}), head, 1000, facts).headers.first("Surrogate-Key") == "match half-1");
  CHECK_FALSE(answer(choice({}), kHead, 1000, facts).headers.first("Surrogate-Key"));
}

TEST_CASE("an empty object is complete, and has no range") {
  CHECK(choose(asking({}), kHead, 0).length == 0);
  CHECK(choose(asking({{"Range", "bytes=0-"}}), kHead, 0).status == 416);
}

TEST_CASE("before the length is known, only whole bodies can be sent") {
  CHECK_FALSE(needs_length(asking({}), kHead));
  CHECK_FALSE(needs_length(asking({{"Range", "bytes=0-"}}), kHead));
  CHECK(needs_length(asking({{"Range", "bytes=5-9"}}), kHead));
  CHECK(needs_length(asking({}, http::Method::head), kHead));
}
