// The table of docs/playlists.md: the handling of playlists with flaws.
#include "hls/flaws.h"

#include <doctest/doctest.h>

#include <chrono>
#include <ctime>
#include <vector>

#include "hls/attributes.h"
#include "hls/playlist.h"
#include "hls/playlist_text.h"

using namespace tribune;
using hls::Flaw;
using test::kHead;
using test::strict;

namespace {

const std::string kSegment = "#EXTINF:2,\na.ts\n";
const std::string kVariant = "#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n";

struct Row {
  std::string what;
  std::string text;
  Flaw flaw;
  std::string written;  // the playlist for viewers, without changes to URIs
};

const std::vector<Row>& rows() {
  static const std::vector<Row> table{
      {"a byte order mark", "\xEF\xBB\xBF" + kHead + kSegment, Flaw::byte_order_mark, kHead + kSegment},
      {"Latin-1 in a title",
       kHead + "#EXTINF:2,Fu\xDF"
               "ball\na.ts\n",
       Flaw::encoding,
       kHead + "#EXTINF:2,Fu\xDF"
               "ball\na.ts\n"},
      {"Latin-1 in a comment", kHead + "# M\xFCnchen\n" + kSegment, Flaw::encoding,
       kHead + "# M\xFCnchen\n" + kSegment},
      {"Latin-1 in an unknown tag", kHead + "#EXT-X-CITY:M\xFCnchen\n" + kSegment, Flaw::encoding,
       kHead + "#EXT-X-CITY:M\xFCnchen\n" + kSegment},
      {"half a character of UTF-8", kHead + "#EXTINF:2,\xC3\na.ts\n", Flaw::encoding, kHead + "#EXTINF:2,\xC3\na.ts\n"},
      {"a control character in a title",
       kHead + "#EXTINF:2,a\x01"
               "b\na.ts\n",
       Flaw::control_character, kHead + "#EXTINF:2,ab\na.ts\n"},
      {"a NUL in a title", kHead + std::string("#EXTINF:2,\0\na.ts\n", 17), Flaw::control_character,
       kHead + "#EXTINF:2,\na.ts\n"},
      {"a control character in a comment", kHead + "#\x1B[0m\n" + kSegment, Flaw::control_character,
       kHead + "#[0m\n" + kSegment},
      {"a carriage return in a comment", kHead + "# a\rb\n" + kSegment, Flaw::control_character,
       kHead + "# ab\n" + kSegment},
      {"a next-line character in a title", kHead + "#EXTINF:2,a\xC2\x85\na.ts\n", Flaw::control_character,
       kHead + "#EXTINF:2,a\na.ts\n"},
      {"line ends that were converted twice", "#EXTM3U\r\r\n#EXT-X-TARGETDURATION:2\r\r\n#EXTINF:2,\r\r\na.ts\r\r\n",
       Flaw::control_character, "#EXTM3U\r\n#EXT-X-TARGETDURATION:2\r\n#EXTINF:2,\r\na.ts\r\n"},
      {"a nested quote in EXT-X-DATERANGE",
       kHead + "#EXT-X-DATERANGE:ID=\"a\",X-SAY=\"he said \"hi\" twice\"\n" + kSegment, Flaw::tag,
       kHead + "\n" + kSegment},
      {"EXT-X-DATERANGE without values", kHead + "#EXT-X-DATERANGE:ID\n" + kSegment, Flaw::tag,
       kHead + "\n" + kSegment},
      {"EXT-X-DATERANGE with an unknown variable in a URI",
       kHead + "#EXT-X-DATERANGE:ID=\"a\",X-ASSET-URI=\"{$no}\"\n" + kSegment, Flaw::tag, kHead + "\n" + kSegment},
      {"a colon for an equals sign in EXT-X-SERVER-CONTROL", kHead + "#EXT-X-SERVER-CONTROL:HOLD-BACK:12\n" + kSegment,
       Flaw::attributes, kHead + "#EXT-X-SERVER-CONTROL:\n" + kSegment},
      {"one bad attribute of EXT-X-SERVER-CONTROL",
       kHead + "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,HOLD-BACK:12,PART-HOLD-BACK=3\n" + kSegment,
       Flaw::attributes, kHead + "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=3\n" + kSegment},
      {"an empty EXT-X-VERSION", kHead + "#EXT-X-VERSION:\n" + kSegment, Flaw::tag, kHead + "\n" + kSegment},
      {"EXT-X-VERSION without a colon", kHead + "#EXT-X-VERSION\n" + kSegment, Flaw::tag, kHead + "\n" + kSegment},
      {"EXT-X-SESSION-DATA in a media playlist",
       kHead + "#EXT-X-SESSION-DATA:DATA-ID=\"x\",URI=\"d.json\"\n" + kSegment, Flaw::misplaced_tag,
       kHead + "\n" + kSegment},
      {"EXT-X-SESSION-DATA before any tag of a media playlist",
       "#EXTM3U\n#EXT-X-SESSION-DATA:DATA-ID=\"x\"\n#EXT-X-TARGETDURATION:2\n" + kSegment, Flaw::misplaced_tag,
       "#EXTM3U\n\n#EXT-X-TARGETDURATION:2\n" + kSegment},
      {"EXT-X-MEDIA in a media playlist", kHead + "#EXT-X-MEDIA:TYPE=AUDIO,URI=\"a.m3u8\"\n" + kSegment,
       Flaw::misplaced_tag, kHead + "\n" + kSegment},
      {"EXT-X-TARGETDURATION in a multivariant playlist", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n" + kVariant,
       Flaw::misplaced_tag, "#EXTM3U\n\n" + kVariant},
      {"EXT-X-ENDLIST in a multivariant playlist", "#EXTM3U\n" + kVariant + "#EXT-X-ENDLIST\n", Flaw::misplaced_tag,
       "#EXTM3U\n" + kVariant + "\n"},
      {"a second EXT-X-MEDIA-SEQUENCE", kHead + "#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-MEDIA-SEQUENCE:9\n" + kSegment,
       Flaw::repeated_tag, kHead + "#EXT-X-MEDIA-SEQUENCE:7\n\n" + kSegment},
      {"a second EXT-X-MEDIA-SEQUENCE after a segment",
       kHead + "#EXT-X-MEDIA-SEQUENCE:7\n" + kSegment + "#EXT-X-MEDIA-SEQUENCE:8\n" + kSegment, Flaw::repeated_tag,
       kHead + "#EXT-X-MEDIA-SEQUENCE:7\n" + kSegment + "\n" + kSegment},
      {"a second EXT-X-DISCONTINUITY-SEQUENCE",
       kHead + "#EXT-X-DISCONTINUITY-SEQUENCE:1\n#EXT-X-DISCONTINUITY-SEQUENCE:1\n" + kSegment, Flaw::repeated_tag,
       kHead + "#EXT-X-DISCONTINUITY-SEQUENCE:1\n\n" + kSegment},
      {"EXTINF without a URI before EXT-X-ENDLIST", kHead + kSegment + "#EXTINF:2,\n#EXT-X-ENDLIST\n",
       Flaw::inf_without_uri, kHead + kSegment + "\n#EXT-X-ENDLIST\n"},
      {"EXTINF without a URI at the end", kHead + kSegment + "#EXTINF:2,", Flaw::inf_without_uri, kHead + kSegment},
      {"EXTINF twice", kHead + "#EXTINF:9,\n" + kSegment, Flaw::inf_without_uri, kHead + "\n" + kSegment},
      {"a URI without EXTINF", kHead + "b.ts\n" + kSegment, Flaw::uri_without_inf, kHead + "\n" + kSegment},
      {"EXT-X-STREAM-INF twice", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9\n" + kVariant, Flaw::variant_without_uri,
       "#EXTM3U\n\n" + kVariant},
      {"EXT-X-STREAM-INF without a URI at the end", "#EXTM3U\n" + kVariant + "#EXT-X-STREAM-INF:BANDWIDTH=9\n",
       Flaw::variant_without_uri, "#EXTM3U\n" + kVariant + "\n"},
      {"a bad attribute of EXT-X-STREAM-INF", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,HD,NAME=\"x\"\nv.m3u8\n",
       Flaw::attributes, "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,NAME=\"x\"\nv.m3u8\n"},
      {"no EXT-X-TARGETDURATION", "#EXTM3U\n#EXTINF:2.002,\na.ts\n#EXTINF:1,\nb.ts\n", Flaw::target_duration,
       "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:2.002,\na.ts\n#EXTINF:1,\nb.ts\n"},
      {"an EXT-X-PRELOAD-HINT that cannot be read", kHead + kSegment + "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"x\n",
       Flaw::tag, kHead + kSegment + "\n"},
      {"an EXT-X-RENDITION-REPORT that cannot be read",
       kHead + kSegment + "#EXT-X-RENDITION-REPORT:URI=\"r.m3u8\",LAST-MSN=x\n", Flaw::tag, kHead + kSegment + "\n"},
      {"EXT-X-PART-INF without PART-TARGET", kHead + "#EXT-X-PART-INF:TARGET=1\n" + kSegment, Flaw::tag,
       kHead + "\n" + kSegment},
  };
  return table;
}

}  // namespace

TEST_CASE("a flaw that players tolerate is passed on, dropped or repaired once, and refused by the strict setting") {
  for (const auto& row : rows()) {
    CAPTURE(row.what);
    const auto playlist = hls::parse(row.text);
    if (!playlist) {
      FAIL_CHECK(playlist.error().text);
      continue;
    }
    REQUIRE(playlist->flaws.size() >= 1);
    CHECK(hls::to_string(playlist->flaws[0].flaw) == hls::to_string(row.flaw));
    const auto written = hls::write(*playlist, {});
    CHECK(written == row.written);
    const auto again = hls::parse(written);
    REQUIRE(again);
    CHECK((again->flaws.empty() || row.flaw == Flaw::encoding || row.flaw == Flaw::attributes));
    CHECK(again->segments.size() == playlist->segments.size());
    CHECK(again->uris.size() == playlist->uris.size());
    CHECK_FALSE(hls::parse(row.text, strict()));
  }
}

TEST_CASE("a dropped line leaves no URI, number or segment") {
  const auto playlist =
      hls::parse(kHead + "#EXT-X-MEDIA-SEQUENCE:5\n" + kSegment + "stray.ts\n#EXTINF:2,\n#EXTINF:1,\nb.ts\n" +
                 "#EXT-X-RENDITION-REPORT:URI=\"{$no}\",LAST-MSN=3\n#EXT-X-DATERANGE:X-ASSET-URI=\"u\",X-URI=\"{$no}"
                 "\"\n#EXTINF:2,\n");
  REQUIRE(playlist);
  CHECK(playlist->segments.size() == 2);
  CHECK(playlist->end_msn() == 7);
  CHECK(playlist->uris.size() == 2);
  CHECK(playlist->numbers.size() == 1);
  CHECK(playlist->segments[1].duration == std::chrono::seconds{1});
}

TEST_CASE("a control character that appears when another one is dropped is dropped, too") {
  const auto playlist = hls::parse(kHead +
                                   "# a\xC2\x01\x91"
                                   "b\n# \xC2\xC2\x91\x91\n" +
                                   kSegment);
  REQUIRE(playlist);
  const auto again = hls::parse(hls::write(*playlist, {}));
  REQUIRE(again);
  CHECK(again->flaws.empty());
}

TEST_CASE("flaws of one kind are counted, with the line of the first") {
  const auto playlist = hls::parse(kHead + "#EXTINF:2,\xFF\na.ts\n#EXTINF:2,\xFF\nb.ts\n");
  REQUIRE(playlist);
  REQUIRE(playlist->flaws.size() == 1);
  CHECK(playlist->flaws[0].line == 2);
  CHECK(playlist->flaws[0].count == 2);
}

TEST_CASE("a playlist that no player plays, or that players interpret differently, is refused") {
  for (const std::string& text : {
           kHead + "#EXT-X-KEY:METHOD=AES-128,URI=\"x\n" + kSegment,
           kHead + "#EXT-X-MAP:URI=\"x\n" + kSegment,
           kHead + "#EXTINF:x,\na.ts\n",
           kHead + "#EXTINF:2,\ra.ts\n" + kSegment,
           kHead + "#EXTINF:2,\na\x01.ts\n",
           kHead + "#EXT-X-BYTERANGE:x\n" + kSegment,
           kHead + kSegment + "#EXT-X-MEDIA-SEQUENCE:5\n",
           kHead + kSegment + kVariant,
           kHead + "#EXT-X-PART:URI=\"p\"\n",
           kHead + "#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n" + kSegment,
           std::string("#EXTM3U\r#EXT-X-TARGETDURATION:2\r#EXTINF:2,\ra.ts\r"),
           std::string("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:5\n"),
           std::string("#EXTM3U\n#EXT-X-IMAGE-STREAM-INF:NO-ATTRIBUTE\nb.m3u8\n"),  // the only tag is dropped
           std::string("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n"),
           std::string("#EXTM3U\nplain.m4s\n#EXT-X-STREAM-INF:BANDWIDTH=1\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME="
                       "\"a\",URI=\"a.m3u8\"\n"),
           std::string("#EXTM3U\n"),
       }) {
    CAPTURE(text);
    CHECK_FALSE(hls::parse(text));
  }
}

TEST_CASE("the tags of a playlist decide its kind, wherever they are") {
  const std::string target = "#EXT-X-TARGETDURATION:2\n", segment = "#EXTINF:2,\na.ts\n",
                    variant = "#EXT-X-STREAM-INF:BANDWIDTH=1\nb.m3u8\n";
  struct Case {
    std::string text;
    std::optional<bool> multivariant;
  };
  for (const auto& c : {Case{target + segment, false}, Case{segment + target, false}, Case{target, false},
                        Case{variant, true}, Case{variant + target, true}, Case{target + variant, true},
                        Case{variant + segment, std::nullopt}, Case{"", std::nullopt}}) {
    CAPTURE(c.text);
    const auto parsed = hls::parse("#EXTM3U\n" + c.text);
    if (parsed && c.multivariant) CHECK(parsed->multivariant == *c.multivariant);
    CHECK(parsed.has_value() == c.multivariant.has_value());
  }
}

TEST_CASE("valid attributes of an invalid list are kept") {
  const auto saved = [](const std::string& list) { return hls::salvaged_attributes(list, 0); };
  CHECK(saved("A=1,B:2,C=\"x,y\",D") == "A=1,C=\"x,y\"");
  CHECK(saved("A=\"open,B=1") == "B=1");
  CHECK(saved("A=\"say \"hi\" now\",B=1") == "B=1");
  CHECK(saved(",,=,A = 1 ,") == "A = 1");
  CHECK(saved("") == "");
  std::string hostile;
  while (hostile.size() < 4u << 20) hostile += "A=\"B,";
  const auto began = std::clock();
  saved(hostile);
  saved(hostile + "\"");
  saved(std::string(4u << 20, ','));
  CHECK(std::clock() - began < 10 * CLOCKS_PER_SEC);  // under any sanitizer; what looks back at each comma takes hours
}
