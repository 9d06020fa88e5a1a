#include "http/cmsd.h"

#include <doctest/doctest.h>

using namespace tribune::http;

TEST_CASE("the type of an object is stated if its name determines it") {
  CHECK(cmsd_object_type("v1/index.m3u8") == 'm');
  CHECK(cmsd_object_type("audio/en/7.aac") == 'a');
  CHECK(cmsd_object_type("subs/7.webvtt") == 'c');
  CHECK(cmsd_object_type("keys/1.key") == 'k');
  for (const char* path : {"v1/seg1.ts", "v1/7.m4s", "init.mp4", "v1.aac/7", "", "."})
    CHECK_FALSE(cmsd_object_type(path));
}

TEST_CASE("the static part is a dictionary, the dynamic part a list of servers with parameters") {
  CHECK(cmsd_static("stadium", 'a') == R"(ot=a,sf=h,n="stadium")");
  CHECK(cmsd_static("stadium", std::nullopt) == R"(sf=h,n="stadium")");
  CHECK(cmsd_dynamic("stadium", {}) == R"("stadium")");
  CHECK(cmsd_dynamic("stadium", {true, 2500}) == R"("stadium";du;mb=2500)");
  CHECK(cmsd_dynamic("a\"b\\c\n", {true, std::nullopt}) == R"("a\"b\\c?";du)");
}
