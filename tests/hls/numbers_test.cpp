#include "hls/numbers.h"

#include <doctest/doctest.h>

using namespace tribune;

TEST_CASE("dates are read to the millisecond, with every offset that packagers write") {
  const auto at = hls::read_date("2026-06-01T20:00:00Z");
  REQUIRE(at);
  for (const std::string same :
       {"2026-06-01T20:00:00.000Z", "2026-06-01T20:00:00", "2026-06-01T21:00:00+0100", "2026-06-01T21:00:00+01",
        "2026-06-01T21:00:00.0004+01:00", "2026-06-01T14:30:00.000000000000-0530", "2026-06-01t20:00:00,0z",
        "2026-06-01 20:00:00Z"}) {
    CAPTURE(same);
    CHECK(hls::read_date(same) == at);
  }
  CHECK(*hls::read_date("2026-06-01T20:00:00.5Z") - *at == std::chrono::milliseconds{500});
  CHECK(*hls::read_date("2026-06-01T20:00:00.1234567+0000") - *at == std::chrono::milliseconds{123});
  CHECK(*hls::read_date("2026-06-01T20:00:01.005Z") - *hls::read_date("2026-06-01T20:00:00.995Z") ==
        std::chrono::milliseconds{10});
  for (const std::string wrong :
       {"", "2026-06-01", "2026-06-31T20:00:00Z", "2026-06-01T25:00:00Z", "2026-06-01T20:00:00.Z",
        "2026-06-01T20:00:00+1", "2026-06-01T20:00:00+01:0", "2026-06-01T20:00:00+01000", "2026-06-01T20:00:00Zulu",
        "2026-06-01T20:00:00+", "20260601T200000Z", "2026-06-01T20:00"}) {
    CAPTURE(wrong);
    CHECK_FALSE(hls::read_date(wrong));
  }
}
