#include "http/range.h"

#include <doctest/doctest.h>

using namespace tribune::http;

namespace {

std::string decided(std::string_view range, std::uint64_t length) {
  const auto decision = decide_range(range, length);
  if (std::holds_alternative<WholeBody>(decision)) return "whole";
  if (std::holds_alternative<NotSatisfiable>(decision)) return "416";
  return content_range(std::get<ByteRange>(decision), length);
}

}  // namespace

TEST_CASE("ranges select the bytes of the examples of RFC 9110 section 14.1.2") {
  CHECK(decided("bytes=0-499", 10000) == "bytes 0-499/10000");
  CHECK(decided("bytes=500-999", 10000) == "bytes 500-999/10000");
  CHECK(decided("bytes=-500", 10000) == "bytes 9500-9999/10000");
  CHECK(decided("bytes=9500-", 10000) == "bytes 9500-9999/10000");
}

TEST_CASE("a range beyond the end is cut at the end") {
  CHECK(decided("bytes=0-99999", 100) == "bytes 0-99/100");
  CHECK(decided("bytes=-500", 100) == "bytes 0-99/100");
  CHECK(decided("bytes=99-99999999999999999999999999", 100) == "bytes 99-99/100");
  CHECK(decided("Bytes=0-0", 1) == "bytes 0-0/1");
  CHECK(decided("bytes= 1-2 ", 100) == "bytes 1-2/100");
}

TEST_CASE("a range that begins beyond the end cannot be satisfied") {
  CHECK(decided("bytes=100-", 100) == "416");
  CHECK(decided("bytes=100-200", 100) == "416");
  CHECK(decided("bytes=18446744073709551616-", 100) == "416");
  CHECK(decided("bytes=-0", 100) == "416");
  CHECK(decided("bytes=0-", 0) == "416");
  CHECK(decided("bytes=-5", 0) == "whole");
}

TEST_CASE("anything but a valid single byte range is answered with the whole body") {
  for (const auto range :
       {"", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-4", "bytes=1-2,4-5", "bytes=0-,-1", "items=0-5",
        "bytes 0-5", "bytes=+1-2", "bytes=0x1-2", "bytes=1--2", "bytes=--1", "bytes=1 - 2", "bytes=1-2-3"}) {
    CAPTURE(range);
    CHECK(decided(range, 100) == "whole");
  }
  CHECK(std::holds_alternative<WholeBody>(decide_range(std::nullopt, 100)));
}

TEST_CASE("a single range is read before the length is known") {
  const auto both = parse_single_range("bytes=2-5");
  REQUIRE(both.has_value());
  CHECK(both->first == 2);
  CHECK(both->last == 5);
  const auto open = parse_single_range("bytes=7-");
  REQUIRE(open.has_value());
  CHECK(open->first == 7);
  CHECK_FALSE(open->last.has_value());
  const auto suffix = parse_single_range("bytes=-9");
  REQUIRE(suffix.has_value());
  CHECK_FALSE(suffix->first.has_value());
  CHECK(suffix->last == 9);
}
