#include "balancer/steering/steered_playlist.h"

#include <doctest/doctest.h>

#include "hls/playlist.h"

using namespace tribune;
using namespace tribune::balancer;

namespace {

constexpr const char* kSource =
    "#EXTM3U\n#EXT-X-VERSION:6\n"
    "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"aac\",NAME=\"English\",DEFAULT=YES,URI=\"~t/a.m3u8\"\n"
    "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"cc\",NAME=\"E\",INSTREAM-ID=\"CC1\"\n"
    "#EXT-X-STREAM-INF:BANDWIDTH=1000,AUDIO=\"aac\",CLOSED-CAPTIONS=\"cc\"\n~t/v1.m3u8\n"
    "#EXT-X-STREAM-INF:BANDWIDTH=2000,AUDIO=\"aac\",STABLE-VARIANT-ID=\"hi\"\n~t/v2.m3u8?x=1\n"
    "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=100,URI=\"~t/i.m3u8\"\n";

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
std::size_t count(const std::string& text, std::string_view part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

}  // namespace

TEST_CASE("every variant and rendition is listed once for each pathway, and the best pathway is the initial one") {
  const auto text = steered(kSource, "~t/", {"/steering/demo?session=t", {"stadium", "ORIGIN"}});
  CHECK(text.starts_with("#EXTM3U\n#EXT-X-VERSION:6\n"));
  CHECK(has(text, "#EXT-X-CONTENT-STEERING:SERVER-URI=\"/steering/demo?session=t\",PATHWAY-ID=\"stadium\"\n"));
  CHECK(count(text, "#EXT-X-CONTENT-STEERING") == 1);
  CHECK(count(text, "#EXT-X-STREAM-INF") == 4);
  CHECK(count(text, "TYPE=AUDIO") == 2);
  CHECK(count(text, "TYPE=CLOSED-CAPTIONS") == 1);
  CHECK(
      has(text,
          "GROUP-ID=\"aac@stadium\",NAME=\"English\",DEFAULT=YES,URI=\"~t/~via/stadium/a.m3u8\",STABLE-RENDITION-ID="));
  CHECK(has(text, "BANDWIDTH=1000,AUDIO=\"aac@ORIGIN\",CLOSED-CAPTIONS=\"cc\",STABLE-VARIANT-ID="));
  CHECK(has(text, "STABLE-VARIANT-ID=\"hi\",PATHWAY-ID=\"ORIGIN\"\n~t/~via/ORIGIN/v2.m3u8?x=1\n"));
  CHECK(has(text, "URI=\"~t/~via/ORIGIN/i.m3u8\""));
  CHECK_FALSE(has(text, "\n~t/v1.m3u8"));
  const auto parsed = hls::parse(text);
  REQUIRE(parsed);
  CHECK(parsed->multivariant);
}

TEST_CASE("a stable id is the same in every pathway and in every session's playlist") {
  const auto id = [](const std::string& text, std::size_t from = 0) {
    const auto at = text.find("STABLE-RENDITION-ID=\"", from) + 21;
    return text.substr(at, text.find('"', at) - at);
  };
  const auto first = steered(kSource, "~t/", {"/s", {"a", "b"}});
  std::string other(kSource);
  for (auto at = other.find("~t/"); at != std::string::npos; at = other.find("~t/", at)) other.replace(at, 3, "~uu/");
  CHECK(id(first) == id(first, first.find("@b")));
  CHECK(id(first) == id(steered(other, "~uu/", {"/s", {"c"}})));
}

TEST_CASE("a URI outside the session is unchanged in every pathway") {
  const auto text =
      steered("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttp://cdn/v.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=2\nv.m3u8\n", "",
              {"/s", {"a", "b"}});
  CHECK(count(text, "\nhttp://cdn/v.m3u8\n") == 2);
  CHECK(has(text, "\n~via/a/v.m3u8\n"));
  CHECK(has(text, "\n~via/b/v.m3u8\n"));
}

TEST_CASE("a source with its own steering, and a playlist without pathways, are unchanged") {
  const std::string own =
      "#EXTM3U\n#EXT-X-CONTENT-STEERING:SERVER-URI=\"http://o/s\"\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n";
  CHECK(steered(own, "", {"/s", {"a"}}) == own);
  CHECK(steered(kSource, "~t/", {"/s", {}}) == kSource);
}

TEST_CASE("carriage returns and comments between a variant and its URI are ignored") {
  const auto text = steered("#EXTM3U\r\n#EXT-X-STREAM-INF:BANDWIDTH=1\r\n# word\r\n\r\nv.m3u8\r\n", "", {"/s", {"a"}});
  CHECK(has(text, "PATHWAY-ID=\"a\"\n~via/a/v.m3u8\n"));
  CHECK(hls::parse(text));
}
