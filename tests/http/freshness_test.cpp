#include "http/freshness.h"

#include <doctest/doctest.h>

#include "http/date.h"
#include "http/targeted_cache_control.h"

using namespace tribune;
using namespace tribune::http;
using namespace std::chrono_literals;

namespace {

constexpr base::WallTime kFreshnessTime{std::chrono::seconds{1'700'000'000}};
const FreshnessRules kRules;

/// A response that was requested, received and dated at kFreshnessTime.
StoredHead stored(Headers headers, int status = 200) {
  headers.add("Date", format_date(kFreshnessTime));
  return {status, std::move(headers), kFreshnessTime, kFreshnessTime};
}

Reuse reuse(const Headers& response, std::chrono::seconds later, const Headers& request = {}) {
  return decide_reuse(stored(response), request, kRules, kFreshnessTime + later);
}

}  // namespace

TEST_CASE("s-maxage takes precedence over max-age, and max-age over Expires") {
  const auto expires = format_date(kFreshnessTime + 300s);
  CHECK(explicit_lifetime(stored({{"Cache-Control", "max-age=10, s-maxage=20"}, {"Expires", expires}})) == 20s);
  CHECK(explicit_lifetime(stored({{"Cache-Control", "max-age=10"}, {"Expires", expires}})) == 10s);
  CHECK(explicit_lifetime(stored({{"Expires", expires}})) == 300s);
  CHECK(explicit_lifetime(stored({{"Expires", "0"}})) == 0s);
  CHECK_FALSE(explicit_lifetime(stored({})));
}

TEST_CASE("a valid CDN-Cache-Control applies alone") {
  const auto expires = format_date(kFreshnessTime + 300s);
  CHECK(explicit_lifetime(
            stored({{"CDN-Cache-Control", "max-age=7"}, {"Cache-Control", "max-age=10"}, {"Expires", expires}})) == 7s);
  CHECK_FALSE(explicit_lifetime(stored({{"CDN-Cache-Control", "must-revalidate"}, {"Expires", expires}})));
  CHECK(explicit_lifetime(stored({{"CDN-Cache-Control", "max-age=7, &&"}, {"Cache-Control", "max-age=10"}})) == 10s);
}

TEST_CASE("an invalid CDN-Cache-Control is ignored") {
  for (const char* invalid :
       {"", "max-age=\"7\"", "max-age=7,", "max-age = 7", "MaX-aGe=7", "max-age=1.5", "a=&", "max-age", "a=(1 2"})
    CHECK_FALSE_MESSAGE(parse_targeted_cache_control(invalid), invalid);
  for (const char* valid : {"max-age=7", "max-age=7;x=\"y\", no-store=?0", "a=(1 \"b\" c);q=0.5, max-age=7",
                            "b=:aGk=:,max-age=7", " max-age=7 , x=y", "max-age=7;x=@1", "max-age=7, x=%\"f%c3%bc\"",
                            "max-age=60, no-store, max-age=7, no-store=?0"}) {
    const auto control = parse_targeted_cache_control(valid);
    REQUIRE_MESSAGE(control, valid);
    CHECK(control->max_age == 7s);
    CHECK_FALSE(control->no_store);
  }
  CHECK(parse_targeted_cache_control("no-store")->no_store);
  CHECK(parse_targeted_cache_control("max-age=99999999999")->max_age == std::chrono::seconds{std::int64_t{1} << 31});
}

TEST_CASE("Age is read from its first member if that is a number") {
  CHECK(age_of({{"Age", "12"}}) == 12s);
  CHECK(age_of({{"Age", "12, 3"}}) == 12s);
  CHECK(age_of({{"Age", "12"}, {"Age", "3"}}) == 12s);
  CHECK(age_of({{"Age", "12 ;a=b"}}) == 12s);
  for (const char* bad : {"-1", "1.5", "x", ";a=1", ""}) CHECK(age_of({{"Age", bad}}) == 0s);
}

TEST_CASE("the current age includes transit, earlier caches and the time in this cache") {
  StoredHead head = stored({{"Age", "10"}});
  head.requested = kFreshnessTime - 3s;
  CHECK(current_age(head, kFreshnessTime + 5s) == 18s);
  StoredHead dated{200, {{"Date", format_date(kFreshnessTime - 60s)}}, kFreshnessTime, kFreshnessTime};
  CHECK(current_age(dated, kFreshnessTime + 5s) == 65s);
}

TEST_CASE("a clock that steps back makes no response younger") {
  CHECK(current_age(stored({{"Age", "10"}}), kFreshnessTime - 3600s) == 10s);
}

TEST_CASE("a response is fresh until its age reaches its lifetime") {
  CHECK(reuse({{"Cache-Control", "max-age=10"}}, 9s) == Reuse::fresh);
  CHECK(reuse({{"Cache-Control", "max-age=10"}}, 10s) == Reuse::validate);
}

TEST_CASE("no-cache and Pragma require validation") {
  CHECK(reuse({{"Cache-Control", "max-age=10, no-cache"}}, 0s) == Reuse::validate);
  CHECK(reuse({{"Pragma", "no-cache"}, {"Expires", format_date(kFreshnessTime + 60s)}}, 0s) == Reuse::validate);
  CHECK(reuse({{"Cache-Control", "max-age=10"}}, 0s, {{"Cache-Control", "no-cache"}}) == Reuse::validate);
  CHECK(reuse({{"Cache-Control", "max-age=10"}}, 0s, {{"Pragma", "no-cache"}}) == Reuse::validate);
  CHECK(reuse({{"Cache-Control", "max-age=10"}, {"Pragma", "no-cache"}}, 0s) == Reuse::fresh);
}

TEST_CASE("a request may require younger or fresher responses, or accept staler ones") {
  const Headers response{{"Cache-Control", "max-age=100"}};
  CHECK(reuse(response, 20s, {{"Cache-Control", "max-age=10"}}) == Reuse::validate);
  CHECK(reuse(response, 20s, {{"Cache-Control", "min-fresh=90"}}) == Reuse::validate);
  CHECK(reuse(response, 20s, {{"Cache-Control", "min-fresh=50"}}) == Reuse::fresh);
  CHECK(reuse(response, 120s, {{"Cache-Control", "max-stale=30"}}) == Reuse::fresh);
  CHECK(reuse(response, 140s, {{"Cache-Control", "max-stale=30"}}) == Reuse::validate);
  CHECK(reuse(response, 9999s, {{"Cache-Control", "max-stale"}}) == Reuse::fresh);
  CHECK(reuse({{"Cache-Control", "max-age=100, must-revalidate"}}, 120s, {{"Cache-Control", "max-stale"}}) ==
        Reuse::validate);
}

TEST_CASE("stale-while-revalidate applies within its window only") {
  const Headers response{{"Cache-Control", "max-age=10, stale-while-revalidate=5"}};
  CHECK(reuse(response, 12s) == Reuse::stale_while_revalidate);
  CHECK(reuse(response, 15s) == Reuse::validate);
  CHECK(reuse({{"Cache-Control", "max-age=10, stale-while-revalidate=5, must-revalidate"}}, 12s) == Reuse::validate);
}

TEST_CASE("a stale response is used for a failing origin as long as the response allows") {
  const auto covered = [](const char* control, std::chrono::seconds later, const FreshnessRules& rules = {}) {
    return may_serve_for_error(stored({{"Cache-Control", control}}), rules, kFreshnessTime + later);
  };
  CHECK(covered("max-age=2, stale-if-error=60", 30s));
  CHECK_FALSE(covered("max-age=2, stale-if-error=60", 62s));
  CHECK_FALSE(covered("max-age=2", 3s));
  CHECK(covered("max-age=2", 3s, {.stale_if_error = 10s}));
  for (const char* forbidding :
       {"max-age=2, must-revalidate", "max-age=2, proxy-revalidate", "s-maxage=2", "max-age=2, no-cache"})
    CHECK_FALSE(covered(forbidding, 3s, {.stale_if_error = 10s}));
}

TEST_CASE("heuristic freshness is a tenth of the time since the last change, where the status allows it") {
  const Headers day_old{{"Last-Modified", format_date(kFreshnessTime - 1000s)}};
  CHECK(freshness_lifetime(stored(day_old), kRules) == 100s);
  CHECK(freshness_lifetime(stored(day_old, 201), kRules) == 0s);
  CHECK(freshness_lifetime(stored(day_old), {.heuristic_ceiling = 0s}) == 0s);
  CHECK(freshness_lifetime(stored(day_old), {.heuristic_ceiling = 30s}) == 30s);
  Headers open = day_old;
  open.add("Cache-Control", "public");
  CHECK(freshness_lifetime(stored(open, 599), kRules) == 100s);
}
