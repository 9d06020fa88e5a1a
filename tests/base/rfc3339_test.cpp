#include "base/rfc3339.h"

#include <doctest/doctest.h>

using namespace tribune;
using base::parse_rfc3339;

TEST_CASE("times are read according to RFC 3339") {
  const auto at = parse_rfc3339("2026-06-01T20:00:00Z");
  REQUIRE(at);
  CHECK(base::unix_seconds(*at) == 1'780'344'000);
  CHECK(parse_rfc3339("2026-06-01T22:00:00+02:00") == at);
  CHECK(parse_rfc3339("2026-06-01T14:30:00-05:30") == at);
  CHECK(parse_rfc3339("2026-06-01t20:00:00.5z") == at);
  CHECK(parse_rfc3339("2024-02-29T00:00:00Z"));
  CHECK(parse_rfc3339("2261-12-31T23:59:59Z"));
  for (const std::string wrong :
       {"", "2026-06-01", "2026-06-01 20:00:00Z", "2026-06-01T20:00:00", "2026-13-01T20:00:00Z", "2025-02-29T00:00:00Z",
        "2026-06-01T24:00:00Z", "9999-12-31T23:59:59Z", "2026-06-01T20:00:00.Z", "2026-06-01T20:00:00+2:00",
        "2026-06-01T20:00:00Zx"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_rfc3339(wrong));
  }
}

TEST_CASE("dates are read to the millisecond, with every offset that packagers write") {
  const auto at = base::parse_iso8601("2026-06-01T20:00:00Z");
  REQUIRE(at);
  for (const std::string same :
       {"2026-06-01T20:00:00.000Z", "2026-06-01T20:00:00", "2026-06-01T21:00:00+0100", "2026-06-01T21:00:00+01",
        "2026-06-01T21:00:00.0004+01:00", "2026-06-01T14:30:00.000000000000-0530", "2026-06-01t20:00:00,0z",
        "2026-06-01 20:00:00Z"}) {
    CAPTURE(same);
    CHECK(base::parse_iso8601(same) == at);
  }
  CHECK(*base::parse_iso8601("2026-06-01T20:00:00.5Z") - *at == std::chrono::milliseconds{500});
  CHECK(*base::parse_iso8601("2026-06-01T20:00:00.1234567+0000") - *at == std::chrono::milliseconds{123});
  CHECK(*base::parse_iso8601("2026-06-01T20:00:01.005Z") - *base::parse_iso8601("2026-06-01T20:00:00.995Z") ==
        std::chrono::milliseconds{10});
  for (const std::string wrong :
       {"", "2026-06-01", "2026-06-31T20:00:00Z", "2026-06-01T25:00:00Z", "2026-06-01T20:00:00.Z",
        "2026-06-01T20:00:00+1", "2026-06-01T20:00:00+01:0", "2026-06-01T20:00:00+01000", "2026-06-01T20:00:00Zulu",
        "2026-06-01T20:00:00+", "20260601T200000Z", "2026-06-01T20:00"}) {
    CAPTURE(wrong);
    CHECK_FALSE(base::parse_iso8601(wrong));
  }
}

TEST_CASE("times are written in UTC with milliseconds") {
  CHECK(base::rfc3339(*parse_rfc3339("2026-06-01T20:00:00Z")) == "2026-06-01T20:00:00.000Z");
  CHECK(base::rfc3339(*parse_rfc3339("2026-06-01T20:00:00Z") + std::chrono::microseconds{7'999}) ==
        "2026-06-01T20:00:00.007Z");
}
