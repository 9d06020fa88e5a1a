#include <doctest/doctest.h>

#include "http/cache_control.h"
#include "http/cache_status.h"

using namespace tribune::http;
using std::chrono::seconds;

TEST_CASE("a hit, a miss and a collapsed miss are written as in RFC 9211") {
  CHECK(cache_status("stadium", {.hit = true}) == "stadium; hit");
  CHECK(cache_status("stadium", {.hit = true, .ttl_seconds = 376}) == "stadium; hit; ttl=376");
  CHECK(cache_status("stadium", {.forward = Forward::uri_miss, .forward_status = 200, .stored = true}) ==
        "stadium; fwd=uri-miss; fwd-status=200; stored");
  CHECK(
      cache_status("tribune", {.forward = Forward::miss, .stored = true, .collapsed = true, .detail = "read_along"}) ==
      "tribune; fwd=miss; stored; collapsed; detail=read_along");
  CHECK(cache_status("tribune", {.hit = true, .ttl_seconds = -5, .detail = "stale while away"}) ==
        "tribune; hit; ttl=-5; detail=\"stale while away\"");
}

TEST_CASE("a hit is never also a forward") {
  CHECK(cache_status("n", {.hit = true, .forward = Forward::miss, .forward_status = 200}) == "n; hit");
}

TEST_CASE("values that are not tokens are quoted, and cannot end the field") {
  CHECK(cache_status("7up", {.hit = true}) == "\"7up\"; hit");
  CHECK(cache_status("a b", {.hit = true}) == "\"a b\"; hit");
  CHECK(cache_status("n", {.hit = true, .key = "/a?b"}) == "n; hit; key=\"/a?b\"");
  CHECK(cache_status("n", {.hit = true, .key = "plain"}) == "n; hit; key=\"plain\"");
  CHECK(cache_status("n", {.detail = "a\"\\b\r\nX: y\xc3"}) == "n; detail=\"a\\\"\\\\b??X: y?\"");
}

TEST_CASE("directives are read in any case and order, with any spaces") {
  const auto parsed = parse_cache_control("Public, MAX-AGE=3600 ,s-maxage = 10,immutable,must-revalidate");
  CHECK(parsed.is_public);
  CHECK(parsed.max_age == seconds{3600});
  CHECK(parsed.s_maxage == seconds{10});
  CHECK(parsed.immutable);
  CHECK(parsed.must_revalidate);
  CHECK_FALSE(parsed.no_store);
  CHECK_FALSE(parsed.no_cache);
}

TEST_CASE("request directives are read") {
  const auto parsed = parse_cache_control("max-stale, min-fresh=20, only-if-cached, no-transform, no-cache");
  CHECK(parsed.max_stale == seconds::max());
  CHECK(parsed.min_fresh == seconds{20});
  CHECK(parsed.only_if_cached);
  CHECK(parsed.no_transform);
  CHECK(parsed.no_cache);
  CHECK(parse_cache_control("max-stale=60").max_stale == seconds{60});
}

TEST_CASE("the extensions for stale answers are read") {
  const auto parsed = parse_cache_control("max-age=1, stale-while-revalidate=30, stale-if-error=86400");
  CHECK(parsed.stale_while_revalidate == seconds{30});
  CHECK(parsed.stale_if_error == seconds{86400});
}

TEST_CASE("a qualified no-cache or private has its fields, an empty list restricts all") {
  const auto parsed = parse_cache_control("no-cache=\"Set-Cookie, X-User\", private=\"x-a\"");
  CHECK_FALSE(parsed.no_cache);
  CHECK(parsed.no_cache_fields == std::vector<std::string>{"set-cookie", "x-user"});
  CHECK_FALSE(parsed.is_private);
  CHECK(parsed.private_fields == std::vector<std::string>{"x-a"});
  CHECK(parse_cache_control("private=\"\"").is_private);
  CHECK(parse_cache_control("no-cache, no-cache=\"a\"").no_cache);
}

TEST_CASE("an invalid time is read as stale, a huge one as 2^31, and the first of two applies") {
  CHECK(parse_cache_control("max-age").max_age == seconds{0});
  CHECK(parse_cache_control("max-age=").max_age == seconds{0});
  CHECK(parse_cache_control("max-age=-5").max_age == seconds{0});
  CHECK(parse_cache_control("max-age=1.5").max_age == seconds{0});
  CHECK(parse_cache_control("max-age=abc").max_age == seconds{0});
  CHECK(parse_cache_control("max-age=\"60\"").max_age == seconds{60});
  CHECK(parse_cache_control("max-age=99999999999999999999999").max_age == seconds{std::int64_t{1} << 31});
  CHECK(parse_cache_control("max-age=1, max-age=2").max_age == seconds{1});
}

TEST_CASE("invalid parts are skipped without hiding what follows") {
  CHECK(parse_cache_control(",, ;=, @@, foo bar, x=\"a, no-store\", no-store").no_store);
  CHECK_FALSE(parse_cache_control("x=\"a, no-store\"").no_store);
  CHECK_FALSE(parse_cache_control("no-storex").no_store);
  CHECK(parse_cache_control("community=\"UCI\\\" x\", no-store").no_store);
  CHECK_FALSE(parse_cache_control("").max_age.has_value());
  CHECK(parse_cache_control("no-store=ignored").no_store);
}

TEST_CASE("in malformed text the directives that forbid something count, and those that allow something do not") {
  CHECK(parse_cache_control("\"private\", max-age=60").is_private);
  CHECK(parse_cache_control("max-age=60, \"no-store\"").no_store);
  CHECK(parse_cache_control("max-age=60, private=\"x-user").is_private);
  CHECK(parse_cache_control("x=\"no end, no-store").no_store);
  CHECK(parse_cache_control("no cache no-cache").no_cache);
  CHECK(parse_cache_control("=must-revalidate").must_revalidate);
  CHECK(parse_cache_control("private no-store").no_store);
  CHECK(parse_cache_control("max-age=60;private").is_private);
  CHECK(parse_cache_control("max-age=60;no-store").no_store);
  CHECK_FALSE(parse_cache_control("\"public\", \"immutable\"").is_public);
  CHECK_FALSE(parse_cache_control("\"max-age=60\"").max_age);
  CHECK_FALSE(parse_cache_control("x=\"private\"").is_private);
}

TEST_CASE("several field lines are one list") {
  const Headers headers{{"Cache-Control", "no-store"}, {"cache-control", "max-age=5"}};
  const auto parsed = cache_control_of(headers);
  CHECK(parsed.no_store);
  CHECK(parsed.max_age == seconds{5});
  CHECK_FALSE(cache_control_of({}).max_age.has_value());
}
