#include "http/storing.h"

#include <doctest/doctest.h>

#include "http/date.h"
#include "http/vary.h"

using namespace tribune;
using namespace tribune::http;

namespace {

constexpr base::WallTime kStoringTime{std::chrono::seconds{1'700'000'000}};

Storing storing(const Headers& response, const Headers& request = {}, int status = 200, Method method = Method::get) {
  return decide_storing(method, request, {status, response, kStoringTime, kStoringTime}, {});
}

}  // namespace

TEST_CASE("an explicitly fresh response is stored, whatever its final status") {
  for (const int status : {200, 299, 404, 500, 599})
    CHECK(storing({{"Cache-Control", "max-age=5"}}, {}, status) == Storing::yes);
  CHECK(storing({{"Cache-Control", "max-age=5"}}, {}, 206) == Storing::status);
  CHECK(storing({{"Cache-Control", "max-age=5"}}, {}, 304) == Storing::status);
  CHECK(storing({{"Cache-Control", "max-age=5"}}, {}, 200, Method::post) == Storing::method);
}

TEST_CASE("private and no-store responses are not stored, nor responses to no-store requests") {
  CHECK(storing({{"Cache-Control", "private, max-age=5"}}) == Storing::private_response);
  CHECK(storing({{"Cache-Control", "no-store, max-age=5"}}) == Storing::no_store);
  CHECK(storing({{"Cache-Control", "max-age=5"}}, {{"Cache-Control", "no-store"}}) == Storing::no_store);
  CHECK(storing({{"Cache-Control", "no-store"}, {"CDN-Cache-Control", "max-age=5"}}) == Storing::yes);
}

TEST_CASE("with must-understand a response of a known status is stored, even with no-store") {
  CHECK(storing({{"Cache-Control", "max-age=5, no-store, must-understand"}}) == Storing::yes);
  CHECK(storing({{"Cache-Control", "max-age=5, no-store, must-understand"}}, {}, 599) == Storing::status);
}

TEST_CASE("responses to authenticated requests are stored only if the origin allows it") {
  const Headers request{{"Authorization", "Bearer x"}};
  CHECK(storing({{"Cache-Control", "max-age=5"}}, request) == Storing::authorization);
  for (const char* open : {"max-age=5, public", "max-age=5, must-revalidate", "s-maxage=5"})
    CHECK(storing({{"Cache-Control", open}}, request) == Storing::yes);
}

TEST_CASE("a response with a star in Vary is not stored") {
  for (const char* vary : {"*", "*, *", ", *", "Foo, *"})
    CHECK(storing({{"Cache-Control", "max-age=5"}, {"Vary", vary}}) == Storing::vary_any);
}

TEST_CASE("without freshness a response with a validator is stored") {
  CHECK(storing({{"ETag", "\"a\""}}) == Storing::yes);
  CHECK(storing({}) == Storing::no_freshness);
  CHECK(storing({{"ETag", "\"a\""}}, {}, 599) == Storing::no_freshness);
}

TEST_CASE("connection fields and fields that no-cache names are not stored") {
  const auto kept = storable_fields({{"Connection", "a, B"},
                                     {"A", "1"},
                                     {"b", "2"},
                                     {"C", "3"},
                                     {"Upgrade", "x"},
                                     {"Cache-Control", "max-age=5, no-cache=\"D\""},
                                     {"d", "4"}});
  CHECK(kept.first("c") == "3");
  for (const char* gone : {"a", "b", "connection", "upgrade", "d"}) CHECK_FALSE(kept.first(gone));
}

TEST_CASE("a 304 replaces fields except those that describe the stored body") {
  const StoredHead old{
      200,
      {{"A", "1"}, {"A", "2"}, {"B", "1"}, {"Content-Length", "36"}, {"ETag", "\"one\""}, {"Age", "5"}},
      kStoringTime,
      kStoringTime};
  const StoredHead update{
      304,
      {{"A", "3"}, {"Content-Length", "10"}, {"ETag", "\"two\""}, {"Content-MD5", "x"}, {"Connection", "x"}},
      kStoringTime,
      kStoringTime + std::chrono::seconds{9}};
  const auto fresh = freshened(old, update);
  CHECK(fresh.status == 200);
  CHECK(fresh.headers.joined("A") == "3");
  CHECK(fresh.headers.first("B") == "1");
  CHECK(fresh.headers.first("Content-Length") == "36");
  CHECK(fresh.headers.first("ETag") == "\"one\"");
  CHECK_FALSE(fresh.headers.first("Content-MD5"));
  CHECK_FALSE(fresh.headers.first("Age"));
  CHECK_FALSE(fresh.headers.first("Connection"));
  CHECK(fresh.received == update.received);
}

TEST_CASE("a successful unsafe request invalidates its target and same-origin locations") {
  const auto target = *parse_uri("http://origin/a/b");
  const Headers response{{"Location", "c"}, {"Content-Location", "http://other/d"}};
  const auto invalid = invalidated_by(Method::post, 201, target, response);
  REQUIRE(invalid.size() == 2);
  CHECK(invalid[1].path == "/a/c");
  CHECK(invalidated_by(Method::post, 500, target, response).empty());
  CHECK(invalidated_by(Method::get, 200, target, response).empty());
  CHECK(invalidated_by(Method::other, 200, target, {}).size() == 1);
}

TEST_CASE("equivalent requests select the same variant") {
  const Headers vary_foo{{"Vary", "Foo"}};
  CHECK(variant_key(vary_foo, {{"Foo", "1"}, {"foo", "2"}}) == variant_key(vary_foo, {{"FOO", " 1 ,2"}}));
  CHECK(variant_key(vary_foo, {{"Foo", "1"}}) != variant_key(vary_foo, {{"Foo", "2"}}));
  CHECK(variant_key(vary_foo, {{"Foo", ""}}) != variant_key(vary_foo, {}));
  CHECK(variant_key({{"Vary", "Foo, Bar"}}, {{"Foo", "1"}, {"Bar", "2"}}) ==
        variant_key({{"Vary", "bar"}, {"Vary", "foo"}}, {{"Bar", "2"}, {"Foo", "1"}}));
  CHECK(variant_key({}, {{"Foo", "1"}}).empty());
  const Headers vary_language{{"Vary", "Accept-Language"}};
  CHECK(variant_key(vary_language, {{"Accept-Language", "en, de"}}) ==
        variant_key(vary_language, {{"Accept-Language", "DE ,EN"}}));
  CHECK(variant_key(vary_language, {{"Accept-Language", "en, de;q=0.5"}}) !=
        variant_key(vary_language, {{"Accept-Language", "de, en;q=0.5"}}));
}

TEST_CASE("the preferred language of a request is the one that it prefers to all others") {
  const auto preferred = [](std::string_view accepted) {
    return preferred_language({{"Accept-Language", std::string(accepted)}});
  };
  CHECK(preferred("fr;q=0.5, DE;q=1.0") == "de");
  CHECK(preferred("fr, de").empty());
  CHECK(preferred("fr") == "fr");
  CHECK(preferred_language({}).empty());
}

TEST_CASE("the language of a variant is known where the response varies by Accept-Language alone") {
  CHECK(language_of_variant({{"Vary", "accept-language"}, {"Content-Language", " De"}}) == "de");
  CHECK(language_of_variant({{"Vary", "Foo, Accept-Language"}, {"Content-Language", "de"}}).empty());
  CHECK(language_of_variant({{"Vary", "Accept-Language"}}).empty());
}

TEST_CASE("a field that Connection lists is dropped, however long the list is") {
  std::string names;
  for (int i = 0; i < 7'000; ++i) names += "a,";
  Headers message{{"Connection", names + "X-Hop"}, {"x-hop", "1"}, {"A", "2"}, {"B", "3"}, {"TE", "trailers"}};
  const auto kept = without_connection_fields(message);
  CHECK(kept.all().size() == 1);
  CHECK(kept.first("B") == "3");
}
