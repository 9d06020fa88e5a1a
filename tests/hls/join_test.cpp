#include <doctest/doctest.h>

#include "hls/playlist.h"
#include "hls/playlist_text.h"

using namespace tribune;
using test::good;

namespace {

std::string head(std::int64_t msn, const std::string& more = "") {
  return "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:" + std::to_string(msn) + "\n" +
         more;
}

std::string numbered_segments(const std::string& name, int first, int count) {
  std::string text;
  for (int i = first; i < first + count; ++i) text += "#EXTINF:2.0,\n" + name + std::to_string(i) + ".ts\n";
  return text;
}

std::string joined_text(const hls::Playlist& before, std::int64_t first, const hls::Playlist& after,
                        const hls::Joint& joint) {
  const auto joined = hls::join(before, first, after, joint);
  if (!joined) FAIL(joined.error().text);
  return hls::write(*joined, {});
}

}  // namespace

TEST_CASE("a restarted source continues after a discontinuity where the old one ended") {
  const auto before = good(head(10) + numbered_segments("old", 10, 3));
  const auto after = good(head(0) + numbered_segments("new", 0, 2));
  CHECK(joined_text(before, 11, after, {13, 1, 1}) ==
        head(11) + numbered_segments("old", 11, 2) + "#EXT-X-DISCONTINUITY\n" + numbered_segments("new", 0, 2));
  const auto joined = hls::join(before, 11, after, {13, 1, 1});
  CHECK(joined->segments[1].generation == 0);
  CHECK(joined->segments[2].generation == 1);
  CHECK(joined->segments[2].msn == 13);
  CHECK(joined->segments[2].discontinuity_sequence == 1);
  CHECK(joined->uris.back().generation == 1);
}

TEST_CASE("a query parameter cannot end a line of the joined playlist") {
  hls::Context context;
  context.query = "token=a%0A%23EXT-X-ENDLIST%22";
  auto after = hls::parse(head(0) + "#EXT-X-DEFINE:QUERYPARAM=\"token\"\n#EXTINF:2.0,\nnew-{$token}.ts\n", context);
  REQUIRE(after);
  const auto joined = hls::join(good(head(10) + numbered_segments("old", 10, 1)), 10, *after, {11, 1, 1});
  REQUIRE(joined);
  CHECK(joined->segments.size() == 2);
  CHECK_FALSE(joined->ended);
  CHECK(joined->uris.back().uri == "new-a%0A#EXT-X-ENDLIST%22.ts");
}

TEST_CASE("when the old tail has left the window, the new timeline is listed alone with the same numbers") {
  const auto before = good(head(10) + numbered_segments("old", 10, 3));
  const auto after = good(head(4) + numbered_segments("new", 4, 2));
  CHECK(joined_text(before, 13, after, {13, 1, 1}) ==
        head(17, "#EXT-X-DISCONTINUITY-SEQUENCE:1\n") + numbered_segments("new", 4, 2));
}

TEST_CASE("the discontinuity sequence of the old tail is kept when its first segments are removed") {
  const auto before = good(head(10, "#EXT-X-DISCONTINUITY-SEQUENCE:5\n") + numbered_segments("a", 1, 1) +
                           "#EXT-X-DISCONTINUITY\n" + numbered_segments("b", 1, 2));
  const auto after = good(head(0) + numbered_segments("new", 0, 1));
  CHECK(joined_text(before, 12, after, {13, 7, 1}) == head(12, "#EXT-X-DISCONTINUITY-SEQUENCE:6\n") +
                                                          numbered_segments("b", 2, 1) + "#EXT-X-DISCONTINUITY\n" +
                                                          numbered_segments("new", 0, 1));
}

TEST_CASE("a listed segment is not listed again under another name") {
  const auto before = good(head(10) + numbered_segments("old", 10, 3));
  const auto after = good(head(0) + numbered_segments("new", 0, 3));
  CHECK(joined_text(before, 12, after, {12, 1, 1}) ==
        head(12) + numbered_segments("old", 12, 1) + "#EXT-X-DISCONTINUITY\n" + numbered_segments("new", 1, 2));
}

TEST_CASE("missing numbers between the two are gaps, and too many of them are refused") {
  const auto before = good(head(10) + numbered_segments("old", 10, 1));
  const auto after = good(head(0) + numbered_segments("new", 0, 1));
  CHECK(joined_text(before, 10, after, {12, 1, 1}) ==
        "#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:10\n" +
            numbered_segments("old", 10, 1) + "#EXT-X-GAP\n#EXTINF:2.0,\nold10.ts\n#EXT-X-DISCONTINUITY\n" +
            numbered_segments("new", 0, 1));
  CHECK_FALSE(hls::join(before, 10, after, {12 + hls::kMaxHole, 1, 1}).has_value());
}

TEST_CASE("a segment of which only parts were listed becomes a gap of their duration") {
  const auto before = good(head(10) + numbered_segments("old", 10, 1) +
                           "#EXT-X-PART:DURATION=0.5,URI=\"p0\"\n#EXT-X-PART:DURATION=0.25,URI=\"p1\"\n");
  const auto after = good(head(0) + numbered_segments("new", 0, 1));
  const auto text = joined_text(before, 10, after, {12, 1, 1});
  CHECK(text.find("old10.ts\n#EXT-X-GAP\n#EXTINF:0.75,\nold10.ts\n#EXT-X-DISCONTINUITY\n") != std::string::npos);
  CHECK(text.find("EXT-X-PART") == std::string::npos);
}

TEST_CASE("keys and init sections are restated where they change") {
  const auto before = good(head(10, "#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x1\n#EXT-X-MAP:URI=\"old.mp4\"\n") +
                           numbered_segments("old", 10, 2));
  const auto after = good(head(0, "#EXT-X-MAP:URI=\"new.mp4\"\n") + numbered_segments("new", 0, 2));
  CHECK(joined_text(before, 11, after, {12, 1, 1}) ==
        head(11, "#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x1\n#EXT-X-MAP:URI=\"old.mp4\"\n") +
            numbered_segments("old", 11, 1) +
            "#EXT-X-DISCONTINUITY\n#EXT-X-KEY:METHOD=NONE\n#EXT-X-MAP:URI=\"new.mp4\"\n" +
            numbered_segments("new", 0, 2));
  CHECK_FALSE(hls::join(before, 11, good(head(0) + numbered_segments("new", 0, 1)), {12, 1, 1}).has_value());
}

TEST_CASE("implied IVs, ranges and variables of both timelines are made explicit") {
  const auto before = good(head(10, "#EXT-X-DEFINE:NAME=\"v\",VALUE=\"x\"\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n") +
                           "#EXTINF:2,\n{$v}a\n#EXTINF:2,\n{$v}b\n");
  const auto after = good(
      head(0) +
      "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXT-X-BYTERANGE:5@0\n#EXTINF:2,\nc\n#EXT-X-BYTERANGE:5\n#EXTINF:2,\nc\n");
  CHECK(joined_text(before, 11, after, {12, 1, 1}) ==
        head(11) +
            "#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x0000000000000000000000000000000b\n#EXTINF:2,\nxb\n#EXT-X-"
            "DISCONTINUITY\n#EXT-X-KEY:METHOD=NONE\n"
            "#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x00000000000000000000000000000000\n#EXT-X-BYTERANGE:5@0\n#EXTINF:"
            "2,\nc\n"
            "#EXT-X-KEY:METHOD=AES-128,URI=\"k\",IV=0x00000000000000000000000000000001\n#EXT-X-BYTERANGE:5@5\n#EXTINF:"
            "2,\nc\n");
}

TEST_CASE("a joined playlist can be joined again") {
  const auto first = good(head(10) + numbered_segments("a", 0, 2));
  const auto second = hls::join(first, 10, good(head(0) + numbered_segments("b", 0, 1)), {12, 1, 1});
  REQUIRE(second);
  const auto third = hls::join(*second, 11, good(head(0) + numbered_segments("c", 0, 1)), {13, 2, 2});
  REQUIRE(third);
  CHECK(hls::write(*third, {}) == head(11) + numbered_segments("a", 1, 1) + "#EXT-X-DISCONTINUITY\n" +
                                      numbered_segments("b", 0, 1) + "#EXT-X-DISCONTINUITY\n" +
                                      numbered_segments("c", 0, 1));
  CHECK(third->segments[0].generation == 0);
  CHECK(third->segments[1].generation == 1);
  CHECK(third->segments[2].generation == 2);
}
