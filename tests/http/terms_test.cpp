#include "http/terms.h"

#include <doctest/doctest.h>

using namespace tribune;
using namespace tribune::http;
using namespace std::chrono_literals;

namespace {

const base::WallTime kTermsTime{std::chrono::seconds(1'700'000'000)};  // Tue, 14 Nov 2023 22:13:20 GMT

StoredHead said(Headers headers) { return {200, std::move(headers), kTermsTime, kTermsTime}; }

}  // namespace

TEST_CASE("Cache-Control is kept as sent, Expires becomes max-age, Pragma no-cache") {
  CHECK(terms_of(said({})).empty());
  CHECK(terms_of(said({{"Cache-Control", "max-age=6"}, {"Cache-Control", "stale-if-error=60"}})).cache_control ==
        "max-age=6, stale-if-error=60");
  const Header date{"Date", "Tue, 14 Nov 2023 22:13:20 GMT"}, expires{"Expires", "Tue, 14 Nov 2023 22:14:20 GMT"};
  CHECK(terms_of(said({date, expires})).cache_control == "max-age=60");
  CHECK(terms_of(said({date, expires, {"Cache-Control", "max-age=6"}})).cache_control == "max-age=6");
  CHECK(terms_of(said({date, expires, {"Cache-Control", "s-maxage=6"}})).cache_control == "s-maxage=6, max-age=60");
  CHECK(terms_of(said({{"Expires", "0"}})).cache_control == "max-age=0");
  CHECK(terms_of(said({{"Pragma", "no-cache"}})).cache_control == "no-cache");
  CHECK(terms_of(said({{"Vary", "*"}, {"Cache-Control", "max-age=6"}})).cache_control == "max-age=6, no-cache");
  CHECK(terms_of(said({{"Cache-Control", std::string(5'000, 'x')}})) == Terms{"no-cache", "", 0s});
}

TEST_CASE("a valid targeted field is kept with Cache-Control and takes precedence; a damaged one is dropped") {
  const auto terms = terms_of(said({{"Cache-Control", "no-cache"}, {"CDN-Cache-Control", "max-age=600"}}));
  CHECK(terms == Terms{"no-cache", "max-age=600", 0s});
  CHECK(freshness_lifetime(head_of(terms, kTermsTime), {}) == 600s);
  CHECK(terms_of(said({{"CDN-Cache-Control", "max-age=\"x"}})).empty());
}

TEST_CASE("a head that is made from terms leads to the same decisions as the response") {
  const auto head = head_of(
      terms_of(said({{"Cache-Control", "max-age=10, stale-while-revalidate=5, stale-if-error=20"}})), kTermsTime);
  CHECK(decide_reuse(head, {}, {}, kTermsTime + 9s) == Reuse::fresh);
  CHECK(decide_reuse(head, {}, {}, kTermsTime + 14s) == Reuse::stale_while_revalidate);
  CHECK(decide_reuse(head, {}, {}, kTermsTime + 15s) == Reuse::validate);
  CHECK(may_serve_for_error(head, {}, kTermsTime + 29s));
  CHECK_FALSE(may_serve_for_error(head, {}, kTermsTime + 30s));
}

TEST_CASE("the age of a response on arrival is included") {
  const auto terms = terms_of(said({{"Cache-Control", "max-age=10"}, {"Age", "4"}}));
  CHECK(terms.age == 4s);
  CHECK(decide_reuse(head_of(terms, kTermsTime), {}, {}, kTermsTime + 5s) == Reuse::fresh);
  CHECK(decide_reuse(head_of(terms, kTermsTime), {}, {}, kTermsTime + 6s) == Reuse::validate);
}

TEST_CASE("a 304 changes only the terms that it contains") {
  const Terms stored{"max-age=6", "max-age=60", 0s};
  CHECK(updated(stored, said({{"ETag", "\"a\""}})) == stored);
  CHECK(updated(stored, said({{"Cache-Control", "max-age=7"}})) == Terms{"max-age=7", "max-age=60", 0s});
  CHECK(updated(stored, said({{"CDN-Cache-Control", "max-age=70"}})) == Terms{"max-age=6", "max-age=70", 0s});
}
