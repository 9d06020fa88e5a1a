#include "config/units.h"

#include <doctest/doctest.h>

#include "config/section.h"

using namespace tribune::config;
using namespace std::chrono_literals;

TEST_CASE("durations are a whole number and a unit") {
  CHECK(parse_duration("200ms") == 200ms);
  CHECK(parse_duration("2s") == 2s);
  CHECK(parse_duration("5min") == 5min);
  CHECK(parse_duration("1h") == 1h);
  CHECK(parse_duration("0s") == 0s);
}

TEST_CASE("other texts are refused as durations") {
  for (const auto* text : {"", "s", "5", "5 s", "-5s", "+5s", "1.5s", "5sec", "5S", "5s ", " 5s", "0x5s",
                           "99999999999999999999s", "9223372036854775807h"})
    CHECK_FALSE_MESSAGE(parse_duration(text), text);
}

TEST_CASE("sizes are a whole number and a binary unit") {
  CHECK(parse_bytes("512B") == 512);
  CHECK(parse_bytes("16KiB") == 16384);
  CHECK(parse_bytes("1MiB") == 1 << 20);
  CHECK(parse_bytes("10GiB") == 10ull << 30);
  CHECK(parse_bytes("1TiB") == 1ull << 40);
  for (const auto* text :
       {"", "16", "16KB", "16 KiB", "-1B", "1.5MiB", "99999999999999999999B", "9223372036854775807KiB"})
    CHECK_FALSE_MESSAGE(parse_bytes(text), text);
}

TEST_CASE("a written value is read again as the same value, in the largest unit that fits") {
  CHECK(duration_text(0ms) == "0s");
  CHECK(duration_text(75s) == "75s");
  CHECK(duration_text(90min) == "90min");
  CHECK(duration_text(1500ms) == "1500ms");
  CHECK(duration_text(168h) == "168h");
  CHECK(bytes_text(0) == "0B");
  CHECK(bytes_text(1000) == "1000B");
  CHECK(bytes_text(1536) == "1536B");
  CHECK(bytes_text(4ull << 20) == "4MiB");
  for (const auto value : {0ms, 1ms, 1000ms, 60'000ms, 86'400'000ms, 1ms * 1'234'567})
    CHECK(parse_duration(duration_text(value)) == value);
  for (const std::uint64_t value : {0ull, 1ull, 1024ull, 10ull << 30, 12345678ull})
    CHECK(parse_bytes(bytes_text(value)) == value);
}
