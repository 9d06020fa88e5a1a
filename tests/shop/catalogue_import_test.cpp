#include "shop/catalogue_import.h"

#include <doctest/doctest.h>

using namespace tribune::shop;
using namespace std::chrono_literals;
namespace base = tribune::base;

TEST_CASE("durations have the units s, min, h and d") {
  for (const auto& [text, duration] : {std::pair{"45s", std::chrono::seconds(45)},
                                       {"90min", 90min},
                                       {"12h", 12h},
                                       {"30d", 720h},
                                       {"0s", 0s},
                                       {"007d", 168h}})
    CHECK(parse_validity(text) == duration);
  for (const auto* text : {"", "30", "d", "-1d", "+1d", " 1d", "1 d", "1D", "1.5h", "1ms", "1h30min", "1d\n",
                           "9223372036854775808s", "106751991167301d"})
    CHECK_FALSE(parse_validity(text).has_value());
  CHECK(parse_validity("9223372036854775807s") == std::chrono::seconds::max());
  for (const auto duration : {0s, 1s, 60s, 61s, 3'600s, 5'400s, 86'400s, 90'000s, kMaxValidity})
    CHECK(parse_validity(validity_text(duration)) == duration);
  CHECK(validity_text(kMaxValidity) == "3660d");
  CHECK(validity_text(36h) == "36h");
}

TEST_CASE("times are RFC 3339 and keep their milliseconds") {
  CHECK(parse_catalogue_time("2026-06-01T20:00:00Z") == base::WallTime(1'780'344'000s));
  CHECK(parse_catalogue_time("2026-06-01T22:00:00.2509+02:00") == base::WallTime(1'780'344'000'250ms));
  for (const auto* text : {"", "2026-06-01", "2026-06-01 20:00:00Z", "2026-06-01T20:00:00", "2026-02-30T20:00:00Z",
                           "2262-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2026-06-01T20:00:00Z "})
    CHECK_FALSE(parse_catalogue_time(text).has_value());
  CHECK(catalogue_time_text(base::WallTime(1'780'344'000s)) == "2026-06-01T20:00:00Z");
  CHECK(catalogue_time_text(base::WallTime(1'780'344'000'005ms)) == "2026-06-01T20:00:00.005Z");
}

TEST_CASE("text of a file in an error is escaped and cut between characters") {
  CHECK(quoted_extract("a\"\n\xff") == R"("a\"\n\ufffd")");
  CHECK(quoted_extract(std::string(64, 'x')) == '"' + std::string(64, 'x') + '"');
  CHECK(quoted_extract(std::string(65, 'x')) == '"' + std::string(64, 'x') + "…\"");
  CHECK(quoted_extract(std::string(63, 'x') + "\xd0\xb0") == '"' + std::string(63, 'x') + "…\"");
  CHECK(quoted_extract(std::string(62, 'x') + "\xf0\x9f\x98\x80") == '"' + std::string(62, 'x') + "…\"");
}

TEST_CASE("errors are in the order of the lines") {
  ImportErrorList errors;
  errors.add(5, "d");
  errors.add(0, "a");
  errors.add(2, "b");
  errors.add(2, "c");
  errors.add(1'000, "after the end");
  CHECK(errors.count() == 5);
  CHECK(std::move(errors).with_lines("a\nb\n\nc\n") ==
        std::vector<ImportError>{{1, "a"}, {2, "b"}, {2, "c"}, {4, "d"}, {5, "after the end"}});
}
