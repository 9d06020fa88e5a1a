// Requests to the plain cache with a scripted origin.
#include "http_cache/cache_request.h"

#include <doctest/doctest.h>

#include "support/plain_cache.h"
#include "support/sample_body.h"

using namespace tribune;
using namespace tribune::http_cache;
using namespace tribune::test;

namespace {

const http::Headers kFresh{{"Cache-Control", "max-age=60"}, {"Content-Type", "text/plain"}};

}  // namespace

TEST_CASE("concurrent requests share one fetch") {
  PlainCache cache(one_origin());
  const auto first = cache.ask("/a"), second = cache.ask("/a");
  const auto asked = cache.origin();
  cache.head(*asked, 5);
  cache.bytes(*asked, "hello");
  cache.done(*asked);
  CHECK(first->wait_end());
  CHECK(second->wait_end());
  CHECK(first->body() == "hello");
  CHECK(second->body() == "hello");
  CHECK(cache.workers.client().count() == 1);
  CHECK(cache.under_way() == 0);
}

TEST_CASE("a client that leaves before the head does not end the fetch of other clients") {
  PlainCache cache(one_origin());
  const auto first = cache.ask("/a");
  const auto second = cache.ask("/a");
  const auto asked = cache.origin();
  cache.workers.on(0, [&] { first->leave(); });
  cache.head(*asked, 5);
  cache.bytes(*asked, "hello");
  cache.done(*asked);
  CHECK(second->wait_end());
  CHECK(second->body() == "hello");
  CHECK(first->cut());
  CHECK(cache.workers.client().count() == 1);
  CHECK(cache.under_way() == 0);
}

TEST_CASE("a waiting client that left causes no request of its own when the response may not be stored") {
  PlainCache cache(one_origin());
  const auto first = cache.ask("/a");
  const auto second = cache.ask("/a");
  const auto asked = cache.origin();
  cache.workers.on(0, [&] { second->leave(); });
  cache.head(*asked, 5, {{"Cache-Control", "no-store"}});
  cache.bytes(*asked, "hello");
  cache.done(*asked);
  CHECK(first->wait_end());
  CHECK(second->cut());
  CHECK(cache.workers.client().count() == 1);
  CHECK(cache.under_way() == 0);
}

TEST_CASE("the fetch of a body that has no client and may not be stored is cancelled") {
  PlainCache cache(one_origin());
  const auto seen = cache.ask("/a");
  const auto asked = cache.origin();
  SUBCASE("the client leaves before the head") {
    cache.workers.on(0, [&] { seen->leave(); });
    cache.head(*asked, 1 << 30, {{"Cache-Control", "no-store"}});
  }
  SUBCASE("the client leaves in the body") {
    cache.head(*asked, 1 << 30, {{"Cache-Control", "no-store"}});
    cache.workers.on(0, [&] { seen->leave(); });
  }
  CHECK(cache.under_way() == 0);
  CHECK(asked->cancelled);
}

TEST_CASE("a slow client does not delay other clients, and gets the whole body") {
  PlainCache cache(one_origin());
  FakeExchange* slow = nullptr;
  const auto body = body_of(5 << 20);
  const auto first = cache.ask("/a", {}, {.slow = true, .out = &slow});
  const auto second = cache.ask("/a");
  const auto asked = cache.origin();
  cache.head(*asked, body.size());
  cache.bytes(*asked, body);
  cache.under_way();  // all that has arrived is passed on
  CHECK_FALSE(asked->paused);
  CHECK(first->most_unsent <= (2 << 20));
  SUBCASE("it drains while the body arrives") {
    cache.workers.on(0, [&] { slow->drain(); });
    cache.done(*asked);
  }
  SUBCASE("it drains at the end") { cache.done(*asked); }
  CHECK(second->wait_end());
  CHECK(second->body() == body);
  cache.drain_to_end(*first, slow);
  CHECK(first->wait_end());
  CHECK(first->body() == body);
  CHECK(cache.under_way() == 0);
}

TEST_CASE("a slow client that leaves does not stop a fetch whose response is stored") {
  PlainCache cache(one_origin());
  const auto body = body_of(5 << 20);
  const auto first = cache.ask("/a", {}, {.slow = true});
  const auto asked = cache.origin();
  cache.head(*asked, body.size());
  cache.bytes(*asked, std::string_view(body).substr(0, 3 << 20));
  cache.workers.on(0, [&] { first->leave(); });
  cache.bytes(*asked, std::string_view(body).substr(3 << 20));
  cache.done(*asked);
  const auto second = cache.ask("/a");
  CHECK(second->wait_end());
  CHECK(second->body() == body);
  CHECK(second->note.cache == "hit");
  CHECK(cache.workers.client().count() == 1);
}

TEST_CASE("a body beyond the bound is passed through whole, at the client's pace, and not stored") {
  auto settings = one_origin();
  settings.max_object_bytes = 2 << 20;
  PlainCache cache(settings);
  FakeExchange* slow = nullptr;
  const auto body = body_of(5 << 20);
  const auto seen = cache.ask("/a", {}, {.slow = true, .out = &slow});
  const auto asked = cache.origin();
  // Chunked: the length is not known in advance.
  cache.workers.on(0, [&] { ScriptedClient::head(*asked, 200, kFresh, std::nullopt); });
  cache.bytes(*asked, body);
  cache.under_way();
  CHECK(asked->paused);
  CHECK(seen->most_unsent <= (2 << 20));
  cache.done(*asked);
  cache.drain_to_end(*seen, slow);
  CHECK(seen->wait_end());
  CHECK(seen->body() == body);
  CHECK(cache.state.store.totals().entries == 0);
  CHECK(cache.under_way() == 0);
}

TEST_CASE(
    "a request that has already passed this cache is refused, and only-if-cached without a stored response gets 504") {
  PlainCache cache(one_origin());
  const auto looping = cache.ask("/a", {{"Via", "1.1 other, 1.1 plain"}});
  CHECK(looping->wait_end());
  CHECK(looping->status() == 400);
  const auto wanting = cache.ask("/a", {{"Cache-Control", "only-if-cached"}});
  CHECK(wanting->wait_end());
  CHECK(wanting->status() == 504);
  CHECK(cache.workers.client().count() == 0);
  CHECK(cache.under_way() == 0);
}

TEST_CASE("a 304 renews a stored response and keeps the validator of the stored body") {
  PlainCache cache(one_origin());
  const auto first = cache.ask("/a");
  cache.head(*cache.origin(), 5, {{"Cache-Control", "max-age=0"}, {"ETag", "\"one\""}, {"A", "1"}});
  cache.bytes(*cache.origin(), "hello");
  cache.done(*cache.origin());
  CHECK(first->wait_end());
  const auto second = cache.ask("/a");
  const auto asked = cache.origin(1);
  CHECK(asked->request.headers.first("If-None-Match") == "\"one\"");
  cache.head(*asked, 0, {{"Cache-Control", "max-age=60"}, {"ETag", "\"two\""}, {"A", "2"}}, 304);
  CHECK(second->wait_end());
  CHECK(second->body() == "hello");
  CHECK(second->header("A") == "2");
  CHECK(second->header("ETag") == "\"one\"");
  const auto third = cache.ask("/a");
  CHECK(third->wait_end());
  CHECK(third->note.cache == "hit");
}

TEST_CASE("a body that is cut is cut for the client, too, and not stored") {
  PlainCache cache(one_origin());
  const auto seen = cache.ask("/a");
  const auto asked = cache.origin();
  cache.head(*asked, 10);
  cache.bytes(*asked, "hello");
  cache.done(*asked, base::failure(base::ErrorKind::protocol, base::Fault::origin, "cut"));
  CHECK(seen->wait_end());
  CHECK(seen->cut());
  CHECK(cache.state.store.totals().entries == 0);
  CHECK(cache.under_way() == 0);
}

TEST_CASE("an unknown method is forwarded unchanged, and invalidates the stored response of its target") {
  PlainCache cache(one_origin());
  const auto first = cache.ask("/a");
  cache.head(*cache.origin(), 5);
  cache.bytes(*cache.origin(), "hello");
  cache.done(*cache.origin());
  CHECK(first->wait_end());
  const auto changing = cache.ask("/a", {}, {.method = http::Method::other});
  const auto asked = cache.origin(1);
  CHECK(asked->request.method == http::Method::other);
  cache.head(*asked, 0, {});
  cache.done(*asked);
  CHECK(changing->wait_end());
  CHECK(cache.state.store.totals().entries == 0);
}

TEST_CASE("each host has its own stored responses") {
  PlainCache cache(one_origin());
  const auto first = cache.ask("/a", {}, {.host = "evil.test"});
  CHECK(cache.origin()->request.headers.first("X-Forwarded-Host") == "evil.test");
  cache.head(*cache.origin(), 4);
  cache.bytes(*cache.origin(), "evil");
  cache.done(*cache.origin());
  CHECK(first->wait_end());
  const auto second = cache.ask("/a");
  cache.head(*cache.origin(1), 4);
  cache.bytes(*cache.origin(1), "good");
  cache.done(*cache.origin(1));
  CHECK(second->wait_end());
  CHECK(second->body() == "good");
}

TEST_CASE("a host that is not served gets 421, and the origin is not requested") {
  auto settings = one_origin();
  settings.hosts = {"cache.test"};
  PlainCache cache(settings);
  const auto foreign = cache.ask("/a", {}, {.host = "evil.test"});
  CHECK(foreign->wait_end());
  CHECK(foreign->status() == 421);
  CHECK(cache.workers.client().count() == 0);
}

TEST_CASE("a field that Connection names selects no variant") {
  PlainCache cache(one_origin());
  const http::Headers varied{{"Cache-Control", "max-age=60"}, {"Vary", "Accept-Language"}};
  const auto first = cache.ask("/a", {{"Accept-Language", "de"}, {"Connection", "accept-language"}});
  CHECK_FALSE(cache.origin()->request.headers.first("Accept-Language"));
  cache.head(*cache.origin(), 7, varied);
  cache.bytes(*cache.origin(), "default");
  cache.done(*cache.origin());
  CHECK(first->wait_end());
  const auto german = cache.ask("/a", {{"Accept-Language", "de"}});
  const auto asked = cache.origin(1);
  CHECK(asked->request.headers.first("Accept-Language") == "de");
  cache.head(*asked, 6, varied);
  cache.bytes(*asked, "german");
  cache.done(*asked);
  CHECK(german->wait_end());
  CHECK(german->body() == "german");
}

TEST_CASE("a POST invalidates the stored response, with fields that the operator passes on") {
  auto settings = one_origin();
  settings.pass_fields = {"X-Tenant"};
  PlainCache cache(settings);
  const auto first = cache.ask("/a", {{"X-Tenant", "1"}});
  cache.head(*cache.origin(), 5, {{"Cache-Control", "max-age=60"}, {"Vary", "X-Tenant"}});
  cache.bytes(*cache.origin(), "hello");
  cache.done(*cache.origin());
  CHECK(first->wait_end());
  const auto changing = cache.ask("/a", {{"X-Tenant", "2"}}, {.method = http::Method::post});
  cache.head(*cache.origin(1), 0, {});
  cache.done(*cache.origin(1));
  CHECK(changing->wait_end());
  CHECK(cache.state.store.totals().entries == 0);
}

TEST_CASE("the response to the client depends on the bytes that arrive together with the head") {
  PlainCache cache(one_origin());
  const auto seen = cache.ask("/a");
  const auto asked = cache.origin();
  SUBCASE("a broken body becomes an error") {
    cache.workers.on(0, [&] {
      ScriptedClient::head(*asked, 200, kFresh, std::nullopt);
      ScriptedClient::bytes(*asked, "hel");
      ScriptedClient::done(*asked, base::failure(base::ErrorKind::protocol, base::Fault::origin, "a broken chunk"));
    });
    CHECK(seen->wait_end());
    CHECK_FALSE(seen->cut());
    CHECK(seen->status() == 502);
    CHECK(cache.state.store.totals().entries == 0);
  }
  SUBCASE("a whole body is reported as stored") {
    cache.workers.on(0, [&] {
      ScriptedClient::head(*asked, 200, kFresh, std::nullopt);
      ScriptedClient::bytes(*asked, "hello");
      ScriptedClient::done(*asked);
    });
    CHECK(seen->wait_end());
    CHECK(seen->body() == "hello");
    CHECK(seen->header("Cache-Status") == "plain; fwd=uri-miss; fwd-status=200; stored");
  }
  SUBCASE("a large body is passed through, whether it is stored or not") {
    const auto body = body_of(1 << 20);
    cache.workers.on(0, [&] {
      ScriptedClient::head(*asked, 200, {{"Cache-Control", "no-store"}}, body.size());
      ScriptedClient::bytes(*asked, body);
      ScriptedClient::done(*asked);
    });
    CHECK(seen->wait_end());
    CHECK(seen->body() == body);
  }
  SUBCASE("a small body that is not stored is passed through whole") {
    cache.workers.on(0, [&] {
      ScriptedClient::head(*asked, 200, {{"Cache-Control", "no-store"}}, 5);
      ScriptedClient::bytes(*asked, "hello");
      ScriptedClient::done(*asked);
    });
    CHECK(seen->wait_end());
    CHECK(seen->body() == "hello");
  }
  CHECK(cache.under_way() == 0);
}

TEST_CASE("a body that may still break off is not reported as stored") {
  PlainCache cache(one_origin());
  const auto seen = cache.ask("/a");
  const auto asked = cache.origin();
  cache.head(*asked, 10);
  cache.bytes(*asked, "hello");
  cache.done(*asked, base::failure(base::ErrorKind::protocol, base::Fault::origin, "cut"));
  CHECK(seen->wait_end());
  CHECK(seen->cut());
  CHECK(seen->header("Cache-Status") == "plain; fwd=uri-miss; fwd-status=200");
}

TEST_CASE("an error is stored no longer than the operator allows, whatever its lifetime") {
  auto settings = one_origin();
  const http::Headers long_life{{"Cache-Control", "max-age=60"}};
  const auto ask_and_fail = [&](PlainCache& cache, std::size_t n) {
    const auto seen = cache.ask("/a");
    cache.head(*cache.origin(n), 4, long_life, 500);
    cache.bytes(*cache.origin(n), "oops");
    cache.done(*cache.origin(n));
    CHECK(seen->wait_end());
    CHECK(seen->status() == 500);
  };
  SUBCASE("with zero it is not stored") {
    settings.keep_errors = std::chrono::milliseconds{0};
    PlainCache cache(settings);
    ask_and_fail(cache, 0);
    ask_and_fail(cache, 1);
    CHECK(cache.state.store.totals().entries == 0);
  }
  SUBCASE("within the time it is served from the store") {
    settings.keep_errors = std::chrono::hours{1};
    PlainCache cache(settings);
    ask_and_fail(cache, 0);
    const auto second = cache.ask("/a");
    CHECK(second->wait_end());
    CHECK(second->note.cache == "hit");
    cache.clock.advance(std::chrono::seconds{59});
    const auto third = cache.ask("/a");
    CHECK(third->wait_end());
    CHECK(third->note.cache == "hit");
  }
  SUBCASE("after the time the origin is requested again, even if the response is still fresh") {
    PlainCache cache(settings);
    ask_and_fail(cache, 0);
    cache.clock.advance(std::chrono::seconds{2});
    ask_and_fail(cache, 1);
  }
}

TEST_CASE("a stale response is revalidated in the background by one request, however many hits it has") {
  PlainCache cache(one_origin());
  const http::Headers stale{{"Cache-Control", "max-age=0, stale-while-revalidate=60"}, {"ETag", "\"one\""}};
  const auto first = cache.ask("/a");
  cache.head(*cache.origin(), 5, stale);
  cache.bytes(*cache.origin(), "hello");
  cache.done(*cache.origin());
  CHECK(first->wait_end());
  for (int i = 0; i < 10; ++i) {
    const auto hit = cache.ask("/a");
    CHECK(hit->wait_end());
    CHECK(hit->body() == "hello");
  }
  CHECK(cache.workers.client().count() == 2);
  cache.head(*cache.origin(1), 0, stale, 304);
  CHECK(cache.under_way() == 0);
  const auto later = cache.ask("/a");
  CHECK(later->wait_end());
  CHECK(cache.workers.client().wait_for(3));
}

TEST_CASE("interim responses of the origin are forwarded to the client, without fields of the connection") {
  PlainCache cache(one_origin());
  const auto seen = cache.ask("/a");
  const auto asked = cache.origin();
  cache.workers.on(0, [&] {
    asked->handlers.on_interim(103, {{"Link", "</a.css>"}, {"Connection", "x-hop"}, {"X-Hop", "1"}});
  });
  cache.head(*asked, 5);
  cache.bytes(*asked, "hello");
  cache.done(*asked);
  CHECK(seen->wait_end());
  REQUIRE(seen->interim.size() == 1);
  CHECK(seen->interim[0].first == 103);
  CHECK(seen->interim[0].second.all().size() == 1);
  CHECK(seen->interim[0].second.first("Link") == "</a.css>");
}

TEST_CASE("OPTIONS with Max-Forwards 0 is answered by the cache") {
  PlainCache cache(one_origin());
  const auto last = cache.ask("/a", {{"Max-Forwards", "0"}}, {.method = http::Method::options});
  CHECK(last->wait_end());
  CHECK(last->status() == 204);
  CHECK(last->header("Allow") != "");
  CHECK(cache.workers.client().count() == 0);
  cache.ask("/a", {{"Max-Forwards", "3"}}, {.method = http::Method::options});
  CHECK(cache.origin()->request.headers.first("Max-Forwards") == "2");
}
