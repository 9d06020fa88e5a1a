#include "api/page_query.h"

#include <doctest/doctest.h>

using namespace tribune::api;

TEST_CASE("a page is as long as it may be and begins at the first entry, unless the query says otherwise") {
  const auto whole = page_query("", 100);
  REQUIRE(whole);
  CHECK(whole->limit == 100);
  CHECK(whole->cursor.empty());
  const auto part = page_query("cursor=19787e5d1c0-0a2b&limit=7", 100);
  REQUIRE(part);
  CHECK(part->limit == 7);
  CHECK(part->cursor == "19787e5d1c0-0a2b");
}

TEST_CASE("a query for a page that has something wrong is refused in both languages") {
  for (const auto* query : {"limit=0", "limit=101", "limit=-1", "limit=", "limit", "limit=7x",
                            "limit=99999999999999999999", "cursor=", "cursor", "cursor=a%41", "cursor=a b",
                            "limit=1&limit=2", "cursor=a&cursor=b", "page=2", "&", "=", "Limit=1"}) {
    CAPTURE(query);
    const auto page = page_query(query, 100);
    REQUIRE_FALSE(page);
    CHECK_FALSE(page.error().en.empty());
    CHECK_FALSE(page.error().ru.empty());
  }
  CHECK_FALSE(page_query("cursor=" + std::string(129, 'a'), 100));
  CHECK(page_query("cursor=" + std::string(128, 'a'), 100));
}
