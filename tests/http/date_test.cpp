#include "http/date.h"

#include <doctest/doctest.h>

using namespace tribune;
using http::format_date;
using http::parse_date;

namespace {
base::WallTime at(std::int64_t seconds) { return base::WallTime{std::chrono::seconds{seconds}}; }
}  // namespace

TEST_CASE("the three date forms of RFC 9110 section 5.6.7 give the same time") {
  CHECK(parse_date("Sun, 06 Nov 1994 08:49:37 GMT") == at(784111777));
  CHECK(parse_date("Sunday, 06-Nov-94 08:49:37 GMT") == at(784111777));
  CHECK(parse_date("Sun Nov  6 08:49:37 1994") == at(784111777));
  CHECK(parse_date("Wed Nov 16 08:49:37 1994") == at(784975777));
}

TEST_CASE("a date is written as an IMF-fixdate") {
  CHECK(format_date(at(784111777)) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(format_date(at(0)) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(format_date(at(951782400)) == "Tue, 29 Feb 2000 00:00:00 GMT");
  CHECK(format_date(at(784111777) + std::chrono::milliseconds{999}) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(format_date(at(-1)) == "Wed, 31 Dec 1969 23:59:59 GMT");
}

TEST_CASE("every day of a leap cycle survives a round trip") {
  for (std::int64_t day = 0; day < 1462; ++day) {
    const auto time = at(day * 86400 + day % 86400);
    REQUIRE(parse_date(format_date(time)) == time);
  }
}

TEST_CASE("two-digit years are read as 1969 to 2068") {
  CHECK(parse_date("Wednesday, 01-Jan-69 00:00:00 GMT") == at(-31536000));
  CHECK(parse_date("Friday, 01-Jan-21 00:00:00 GMT") == at(1609459200));
}

TEST_CASE("a leap second is read as the next minute, and a far date as the latest possible one") {
  CHECK(parse_date("Sat, 31 Dec 2016 23:59:60 GMT") == at(1483228800));
  const auto never = parse_date("Fri, 31 Dec 9999 23:59:59 GMT");
  REQUIRE(never.has_value());
  CHECK(*never > at(9'000'000'000));
}

TEST_CASE("dates are read in any case") {
  for (const auto text : {"sun, 06 nov 1994 08:49:37 gmt", "SUN, 06 NOV 1994 08:49:37 Gmt",
                          "sunday, 06-NOV-94 08:49:37 GMT", "sun nov  6 08:49:37 1994"})
    CHECK(parse_date(text) == parse_date("Sun, 06 Nov 1994 08:49:37 GMT"));
}

TEST_CASE("an invalid date is refused") {
  for (const auto text :
       {"", "0", "-1", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT", "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 06 Nov 0094 08:49:37 GMT", "1994-11-06T08:49:37Z", "Sun, 06 Nov +994 08:49:37 GMT",
        "Sun Nov 06 08:49:37 1994 GMT"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_date(text).has_value());
  }
}
