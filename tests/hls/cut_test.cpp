#include "hls/cut.h"

#include <doctest/doctest.h>

using namespace tribune;

namespace {

constexpr const char* kText =
    "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n#EXT-X-PART-INF:PART-TARGET=1\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-"
    "X-KEY:METHOD=AES-128,URI=\"k1\"\n#EXT-X-MAP:URI=\"i1\"\n"
    "#EXTINF:2.0,\na\n#EXTINF:2.0,\nb\n#EXT-X-KEY:METHOD=AES-128,URI=\"k2\"\n#EXT-X-MAP:URI=\"i2\"\n#EXTINF:2.0,\nc\n#"
    "EXT-X-PART:DURATION=1,URI=\"d.0\"\n"
    "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"d.1\"\n";

}  // namespace

TEST_CASE("the beginning of a playlist is the same as its parsed text") {
  const auto whole = hls::parse(kText);
  REQUIRE(whole);
  const auto head = hls::cut(*whole, 9);
  const std::string text(kText, std::string_view(kText).find("#EXT-X-KEY:METHOD=AES-128,URI=\"k2\""));
  CHECK(hls::write(head, {}) == text);
  const auto again = hls::parse(text);
  REQUIRE(again);
  CHECK(head.end_msn() == 9);
  CHECK(head.next_msn() == again->next_msn());
  CHECK(head.uris.size() == again->uris.size());
  CHECK(head.keys.size() == again->keys.size());
  CHECK(head.map_lines == again->map_lines);
  CHECK(hls::write(head, {}, {.msn_shift = 3, .explicit_ivs = true}) ==
        hls::write(*again, {}, {.msn_shift = 3, .explicit_ivs = true}));
}

TEST_CASE("a playlist that ends before the cut stays whole, including trailing parts") {
  const auto whole = hls::parse(kText);
  REQUIRE(whole);
  CHECK(hls::write(hls::cut(*whole, 10), {}) == kText);
  CHECK(hls::cut(*whole, 12).trailing_parts == 1);
}

TEST_CASE("gaps are known by their tag, and by the attribute of a part") {
  const auto p = hls::parse(
      "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=\"i\"\n#EXT-X-GAP\n#EXTINF:2.0,\na\n#EXTINF:2.0,\nb\n"
      "#EXT-X-PART:DURATION=1,URI=\"c.0\",GAP=YES\n#EXT-X-PART:DURATION=1,URI=\"c.1\"\n");
  REQUIRE(p);
  std::string gaps;
  for (const auto& use : p->uris)
    if (p->is_gap(use)) gaps += use.uri + " ";
  CHECK(gaps == "a c.0 ");
}
