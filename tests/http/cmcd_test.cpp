#include "http/cmcd.h"

#include <doctest/doctest.h>

#include <string>

using namespace tribune;
using http::Cmcd;

namespace {

Cmcd parsed(std::string_view text) {
  Cmcd read;
  http::parse_cmcd(text, read);
  return read;
}

}  // namespace

TEST_CASE("values are read from the query, percent-encoded") {
  const auto read = http::read_cmcd({},
                                    "tl=e.1.k.m&CMCD=bl%3D21300%2Cbr%3D3200%2Cbs%2Cd%3D4004%2Cmtp%3D25400%2Cnor%3D%22.."
                                    "%252Fseg7.ts%22%2Csid%3D%226e2fb550-c457%22&x=1");
  REQUIRE(read);
  CHECK(read->buffer_ms == 21'300);
  CHECK(read->bitrate_kbps == 3'200);
  CHECK(read->throughput_kbps == 25'400);
  CHECK(read->starved);
  CHECK(read->names_next);
  CHECK(read->session == "6e2fb550-c457");
}

TEST_CASE("the four headers are read together, in any case of their names") {
  const auto read = http::read_cmcd({{"CMCD-Request", "mtp=25400,bl=5"},
                                     {"cmcd-object", "br=3200"},
                                     {"CMCD-Status", "bs"},
                                     {"Cmcd-Session", "sid=\"a\""},
                                     {"Accept", "bl=9"}},
                                    "");
  REQUIRE(read);
  CHECK(read->throughput_kbps == 25'400);
  CHECK(read->buffer_ms == 5);
  CHECK(read->bitrate_kbps == 3'200);
  CHECK(read->starved);
  CHECK(read->session == "a");
}

TEST_CASE("booleans, white space and parameters follow RFC 9651; a session id without quotes is accepted") {
  CHECK(parsed("bs=?1").starved);
  CHECK_FALSE(parsed("bs=?0").starved);
  CHECK(parsed("bs=true").starved);
  CHECK(parsed("br=1 , bl=5;x=y").buffer_ms == 5);
  CHECK(parsed("sid=6e2fb550,bl=5").session == "6e2fb550");
  CHECK(parsed("nor=../seg7.ts,bl=5").names_next);
  CHECK(parsed("bl=?1,br=:5:").empty());
}

TEST_CASE("a request without CMCD has no values") {
  CHECK_FALSE(http::read_cmcd({{"Accept", "*/*"}}, "tl=x"));
  CHECK_FALSE(http::read_cmcd({{"CMCD-", "bl=1"}}, "CMCD="));
  CHECK_FALSE(http::read_cmcd({}, "XCMCD=bl%3D1"));
}

TEST_CASE("a comma or quote inside a text does not end a member") {
  const auto read = parsed(R"(sid="a,bl=7\",b",bl=9)");
  CHECK(read.buffer_ms == 9);
  CHECK(read.session == R"(a,bl=7\",b)");
}

TEST_CASE("damaged and out-of-range values are ignored") {
  for (const auto* text : {"bl=-1", "bl=1.5", "bl=", "bl", "bl=99999999999999999999", "bl=3600001", "mtp=1e9",
                           "br=0x10", "bs=false", "nor", "=", ",,,", "\"", "sid=\"", "sid=\"\\", "bl=\"5", "bl = 5"})
    CHECK_MESSAGE(parsed(text).empty(), text);
  CHECK(parsed("sid=\"" + std::string(65, 'x') + "\",bs").session.empty());
  CHECK(parsed("bl=5,sid=\"unended,bs").buffer_ms == 5);
  CHECK(parsed(std::string(10'000, ',') + "bs").empty());
}
