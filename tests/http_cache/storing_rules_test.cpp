// What one client can change for the others: errors, cookies, private fields, conditions.
#include "http_cache/storing_rules.h"

#include <doctest/doctest.h>

#include "support/plain_cache.h"

using namespace tribune;
using namespace tribune::http_cache;
using namespace tribune::test;

namespace {

const http::Headers kLong{{"Cache-Control", "max-age=300"}, {"ETag", "\"one\""}};

/// A cache that has a fresh response for /a.
struct FilledCache : PlainCache {
  explicit FilledCache(http::Headers fields = kLong, HttpCacheSettings of = one_origin()) : PlainCache(std::move(of)) {
    get("/a", {}, fields, "hello");
  }
  /// The response that a client without credentials receives from the store.
  std::shared_ptr<RecordedResponse> stored() {
    auto seen = hit("/a");
    CHECK(seen->status() == 200);
    CHECK(seen->body() == "hello");
    return seen;
  }
};

}  // namespace

TEST_CASE("a verdict on one request is never stored, whatever lifetime the origin gives it") {
  for (const int status : {400, 401, 406, 408, 412, 413, 414, 415, 416, 417, 421, 425, 428, 429, 431, 511}) {
    PlainCache cache(one_origin());
    CHECK(cache.get("/a", {{"Cookie", "a=1"}}, kLong, "no", status)->status() == status);
    CHECK(cache.get("/a", {}, kLong, "hello")->body() == "hello");
  }
}

TEST_CASE("an error is kept briefly unless it describes the resource, and does not replace a fresh response") {
  SUBCASE("403 is kept for keep_errors") {
    PlainCache cache(one_origin());
    cache.get("/a", {}, kLong, "no", 403);
    CHECK(cache.hit("/a")->status() == 403);
    cache.clock.advance(std::chrono::seconds{2});
    CHECK(cache.get("/a", {}, kLong, "hello")->status() == 200);
  }
  SUBCASE("404 is kept for its own lifetime") {
    PlainCache cache(one_origin());
    cache.get("/a", {}, kLong, "no", 404);
    cache.clock.advance(std::chrono::seconds{200});
    CHECK(cache.hit("/a")->status() == 404);
  }
  SUBCASE("a reload that the origin refuses leaves the fresh response") {
    FilledCache cache;
    CHECK(cache.get("/a", {{"Cache-Control", "no-cache"}, {"User-Agent", "bad"}}, kLong, "no", 403)->status() == 403);
    cache.stored();
  }
}

TEST_CASE("a miss is fetched without the client's conditions, which the cache evaluates itself") {
  PlainCache cache(one_origin());
  const auto seen = [&](http::Headers asked, const http::Headers& fields) {
    return cache.get("/a", std::move(asked), fields, "hello");
  };
  SUBCASE("If-Match that fails") { CHECK(seen({{"If-Match", "\"x\""}}, kLong)->status() == 412); }
  SUBCASE("If-Match that holds") { CHECK(seen({{"If-Match", "\"one\""}}, kLong)->body() == "hello"); }
  SUBCASE("If-None-Match of the current response") {
    CHECK(seen({{"If-None-Match", "\"one\""}}, kLong)->status() == 304);
  }
  SUBCASE("If-Unmodified-Since that fails") {
    CHECK(seen({{"If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT"}},
               {{"Cache-Control", "max-age=300"}, {"Last-Modified", "Fri, 02 Jan 1970 00:00:00 GMT"}})
              ->status() == 412);
  }
  const auto asked = cache.origin();
  for (const auto* name : {"If-Match", "If-None-Match", "If-Unmodified-Since", "If-Modified-Since"})
    CHECK_FALSE(asked->request.headers.first(name));
  CHECK(cache.hit("/a")->body() == "hello");
}

TEST_CASE("a range is forwarded without the client's other conditions, and its refusal is not stored") {
  PlainCache cache(one_origin());
  const auto seen = cache.ask("/a", {{"Range", "bytes=999999-"}, {"If-None-Match", "\"x\""}});
  const auto asked = cache.origin();
  CHECK(asked->request.headers.first("Range") == "bytes=999999-");
  CHECK_FALSE(asked->request.headers.first("If-None-Match"));
  cache.deliver(*asked, kLong, "no", 416);
  CHECK(seen->wait_end());
  CHECK(seen->status() == 416);
  cache.get("/a", {}, kLong, "hello");
}

TEST_CASE("the conditions of requests for an uncacheable URI are left to the origin, and the response is not stored") {
  PlainCache cache(one_origin());
  const http::Headers for_one{{"Cache-Control", "private"}, {"ETag", "\"one\""}};
  cache.get("/a", {}, for_one, "hello");
  const auto again = cache.ask("/a", {{"If-None-Match", "\"one\""}});
  CHECK(cache.origin(1)->request.headers.first("If-None-Match") == "\"one\"");
  cache.deliver(*cache.origin(1), kLong, "", 304);
  CHECK(again->wait_end());
  CHECK(again->status() == 304);
  CHECK(cache.get("/a", {{"If-Match", "\"x\""}}, kLong, "no", 412)->status() == 412);
  CHECK(cache.state.store.totals().entries == 0);
  SUBCASE("a minute later the cache asks for the whole response again") {
    cache.clock.advance(std::chrono::seconds{61});
    cache.get("/a", {{"If-None-Match", "\"one\""}}, for_one, "hello");
    CHECK_FALSE(cache.origin(3)->request.headers.first("If-None-Match"));
  }
  SUBCASE("as soon as a response was stored, too") {
    cache.get("/a", {}, kLong, "hello");
    CHECK(cache.hit("/a", {{"If-None-Match", "\"one\""}})->status() == 304);
  }
}

TEST_CASE("a 304 to an unconditional request is an error of the origin") {
  PlainCache cache(one_origin());
  CHECK(cache.get("/a", {}, kLong, "", 304)->status() == 502);
}

TEST_CASE("the response to a request with credentials changes nothing for the others") {
  FilledCache cache;
  const http::Headers secret{{"Cache-Control", "private"}, {"ETag", "\"one\""}, {"X-User", "alice"}};
  SUBCASE("a 304 to Authorization") {
    const auto own = cache.get("/a", {{"Authorization", "Basic YTpi"}, {"Cache-Control", "no-cache"}}, secret, "", 304);
    CHECK(own->body() == "hello");
    CHECK(own->header("X-User") == "alice");
  }
  SUBCASE("a 304 to a cookie") {
    cache.get("/a", {{"Cookie", "user=alice"}, {"Cache-Control", "no-cache"}}, secret, "", 304);
  }
  SUBCASE("a HEAD") {
    const auto n = cache.workers.client().count();
    const auto seen = cache.ask("/a", {{"Authorization", "Basic YTpi"}, {"Cache-Control", "no-cache"}},
                                {.method = http::Method::head});
    const auto asked = cache.origin(n);
    cache.head(*asked, 0, secret);
    cache.done(*asked);
    CHECK(seen->wait_end());
    CHECK(seen->header("X-User") == "alice");
  }
  SUBCASE("a HEAD that describes another representation") {
    const auto n = cache.workers.client().count();
    const auto seen =
        cache.ask("/a", {{"Cookie", "user=alice"}, {"Cache-Control", "no-cache"}}, {.method = http::Method::head});
    const auto asked = cache.origin(n);
    cache.head(*asked, 0, {{"Cache-Control", "max-age=300"}, {"ETag", "\"alice\""}});
    cache.done(*asked);
    CHECK(seen->wait_end());
  }
  const auto stored = cache.stored();
  CHECK(stored->header("X-User").empty());
  CHECK(stored->header("Cache-Control") == "max-age=300");
}

TEST_CASE("a cookie reaches the client for which the origin set it, and nobody else") {
  const http::Headers with_cookie{
      {"Cache-Control", "max-age=300"}, {"ETag", "\"one\""}, {"Set-Cookie", "user=alice"}, {"A", "2"}};
  SUBCASE("with a 304 to a reload") {
    FilledCache cache;
    const auto own = cache.get("/a", {{"Cookie", "x=1"}, {"Cache-Control", "no-cache"}}, with_cookie, "", 304);
    CHECK(own->header("Set-Cookie") == "user=alice");
    CHECK(cache.stored()->header("Set-Cookie").empty());
  }
  SUBCASE("with a 304 that followers wait for") {
    FilledCache cache({{"Cache-Control", "max-age=0"}, {"ETag", "\"one\""}});
    const auto first = cache.ask("/a"), second = cache.ask("/a");
    cache.deliver(*cache.origin(1), with_cookie, "", 304);
    CHECK(first->wait_end());
    CHECK(first->header("Set-Cookie") == "user=alice");
    CHECK(cache.workers.client().wait_for(3));
    cache.deliver(*cache.origin(2), kLong, "", 304);
    CHECK(second->wait_end());
    CHECK(second->header("Set-Cookie").empty());
  }
  SUBCASE("with a HEAD") {
    FilledCache cache;
    const auto seen = cache.ask("/a", {{"Cache-Control", "no-cache"}}, {.method = http::Method::head});
    const auto asked = cache.origin(1);
    cache.head(*asked, 0, with_cookie);
    cache.done(*asked);
    CHECK(seen->wait_end());
    CHECK(cache.stored()->header("Set-Cookie").empty());
  }
  SUBCASE("with a 200, even with an explicit lifetime") {
    PlainCache cache(one_origin());
    CHECK(cache.get("/a", {}, with_cookie, "hello")->header("Set-Cookie") == "user=alice");
    CHECK(cache.state.store.totals().entries == 0);
  }
  SUBCASE("unless the operator wants it") {
    auto settings = one_origin();
    settings.keep_set_cookie = true;
    FilledCache cache(with_cookie, settings);
    CHECK(cache.stored()->header("Set-Cookie") == "user=alice");
  }
}

TEST_CASE("a HEAD updates a stored response that it identifies, and invalidates one that differs") {
  const auto head_of = [](FilledCache& cache, http::Headers fields) {
    const auto n = cache.workers.client().count();
    const auto seen = cache.ask("/a", {{"Cache-Control", "no-cache"}}, {.method = http::Method::head});
    const auto asked = cache.origin(n);
    cache.head(*asked, 0, std::move(fields));
    cache.done(*asked);
    CHECK(seen->wait_end());
  };
  SUBCASE("the same ETag") {
    FilledCache cache;
    head_of(cache, {{"Cache-Control", "max-age=300"}, {"ETag", "\"one\""}, {"A", "2"}});
    CHECK(cache.stored()->header("A") == "2");
  }
  SUBCASE("no validator on either side") {
    FilledCache cache({{"Cache-Control", "max-age=300"}});
    head_of(cache, {{"Cache-Control", "max-age=300"}, {"A", "2"}});
    CHECK(cache.stored()->header("A").empty());
  }
  SUBCASE("another ETag") {
    FilledCache cache;
    head_of(cache, {{"Cache-Control", "max-age=300"}, {"ETag", "\"two\""}});
    cache.get("/a", {}, kLong, "new");
  }
  SUBCASE("another length") {
    FilledCache cache;
    head_of(cache, {{"Cache-Control", "max-age=300"}, {"ETag", "\"one\""}, {"Content-Length", "6"}});
    cache.get("/a", {}, kLong, "longer");
  }
}

TEST_CASE("no request alone purges a stored response") {
  FilledCache cache;
  const http::Headers same{{"Cache-Control", "max-age=300"}, {"ETag", "\"one\""}};
  SUBCASE("a request with no-store") { cache.get("/a", {{"Cache-Control", "no-store, no-cache"}}, same, "", 304); }
  SUBCASE("a new session cookie") {
    auto with_cookie = same;
    with_cookie.add("Set-Cookie", "session=1");
    cache.get("/a", {{"Cache-Control", "no-cache"}}, with_cookie, "", 304);
  }
  SUBCASE("a HEAD without the validators") {
    const auto seen = cache.ask("/a", {{"Cache-Control", "no-cache"}}, {.method = http::Method::head});
    cache.head(*cache.origin(1), 0, {{"Cache-Control", "max-age=300"}});
    cache.done(*cache.origin(1));
    CHECK(seen->wait_end());
  }
  cache.stored();
}

TEST_CASE("a background revalidation is sent without the credentials of the client that caused it") {
  FilledCache cache({{"Cache-Control", "public, max-age=0, stale-while-revalidate=60"}, {"ETag", "\"one\""}});
  const auto seen = cache.ask("/a", {{"Authorization", "Basic YTpi"}});
  CHECK(seen->wait_end());
  CHECK_FALSE(cache.origin(1)->request.headers.first("Authorization"));
  CHECK(cache.origin(1)->request.headers.first("If-None-Match") == "\"one\"");
}
