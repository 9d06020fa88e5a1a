#include <doctest/doctest.h>

#include "hls/playlist.h"
#include "hls/playlist_text.h"

using namespace tribune;
using hls::UriKind;
using test::good;
using test::kHead;

namespace {

std::optional<std::string> marked(const hls::UriUse& use) { return "<" + use.uri + ">"; }

}  // namespace

TEST_CASE("an unchanged playlist keeps every byte") {
  int looked_at = 0;
  for (const auto& file : test::corpus()) {
    CAPTURE(file.first);
    const auto& text = file.second;
    const auto playlist = hls::parse(text);
    if (!playlist || !playlist->implied.empty()) continue;
    if (!playlist->flaws.empty()) {  // a repaired playlist stays the same when it is read again
      const auto repaired = hls::write(*playlist, {});
      const auto again = hls::parse(repaired);
      REQUIRE(again);
      CHECK(hls::write(*again, {}) == repaired);
      continue;
    }
    CHECK(hls::write(*playlist, {}) == text);
    CHECK(hls::write(*playlist, [](const hls::UriUse&) { return std::nullopt; }) == text);
    ++looked_at;
  }
  CHECK(looked_at >= 8);
}

TEST_CASE("a playlist and its copies are independent of the text that they were read from") {
  auto text = std::make_unique<std::string>(kHead + "#EXTINF:2,\na.ts\n");
  auto playlist = std::make_unique<hls::Playlist>(good(*text));
  const auto expected = *text;
  text.reset();
  const auto copy = *playlist;
  playlist.reset();
  CHECK(hls::write(copy, {}) == expected);
}

TEST_CASE("only the characters of the URI change") {
  const auto text =
      kHead +
      "#EXT-X-KEY:METHOD=AES-128, URI=\"k.bin\" ,X-NEW=\"a,b\"\r\n#EXTINF:2,\n#EXT-X-UNKNOWN:URI=\"stays\"\n  a.ts \n";
  CHECK(hls::write(good(text), marked) ==
        kHead +
            "#EXT-X-KEY:METHOD=AES-128, URI=\"<k.bin>\" ,X-NEW=\"a,b\"\r\n#EXTINF:2,\n#EXT-X-UNKNOWN:URI=\"stays\"\n  "
            "<a.ts> \n");
}

TEST_CASE("a mapped URI replaces its variables, an unmapped one keeps them") {
  const auto playlist =
      good(kHead + "#EXT-X-DEFINE:NAME=\"v\",VALUE=\"x\"\n#EXT-X-MAP:URI=\"{$v}.mp4\"\n#EXTINF:2,\n{$v}.ts\n");
  const auto only_maps = [](const hls::UriUse& use) { return use.kind == UriKind::map ? marked(use) : std::nullopt; };
  CHECK(hls::write(playlist, only_maps) ==
        kHead + "#EXT-X-DEFINE:NAME=\"v\",VALUE=\"x\"\n#EXT-X-MAP:URI=\"<x.mp4>\"\n#EXTINF:2,\n{$v}.ts\n");
}

TEST_CASE("a mapped URI cannot leave its attribute or its line") {
  const auto playlist = good(kHead + "#EXT-X-MAP:URI=\"i\"\n#EXTINF:2,\na\n");
  const auto hostile = [](const hls::UriUse&) { return "#x\",Y=\"\r\n{$v}"; };
  const auto text = hls::write(playlist, hostile);
  CHECK(text == kHead + "#EXT-X-MAP:URI=\"%23x%22,Y=%22%0D%0A%7B$v}\"\n#EXTINF:2,\n%23x%22,Y=%22%0D%0A%7B$v}\n");
}

TEST_CASE("implied byte ranges are written with their offset") {
  const auto text = hls::write(good(test::corpus().at("byteranges.m3u8")), {});
  CHECK(text.find("BYTERANGE=\"720@0\"") != std::string::npos);
  CHECK(text.find("#EXT-X-BYTERANGE:2000@1720\n") != std::string::npos);
  CHECK(text.find("BYTERANGE=\"400@4020\"") != std::string::npos);
  CHECK(hls::write(good(text), {}) == text);
}

TEST_CASE("shifted numbers change sequence tags and reports, and are inserted where they were implied") {
  const auto playlist = good(test::corpus().at("low_latency.m3u8"));
  const auto text = hls::write(playlist, {}, {.msn_shift = 1000, .discontinuity_shift = 2});
  CHECK(text.find("#EXT-X-MEDIA-SEQUENCE:1266\n") != std::string::npos);
  CHECK(text.find("#EXTM3U\n#EXT-X-DISCONTINUITY-SEQUENCE:2\n") == 0);
  CHECK(text.find("LAST-MSN=1268,LAST-PART=0") != std::string::npos);
  CHECK(hls::write(good("#EXTM3U\r\n#EXT-X-TARGETDURATION:2\r\n"), {}, {.msn_shift = 7}) ==
        "#EXTM3U\r\n#EXT-X-MEDIA-SEQUENCE:7\r\n#EXT-X-TARGETDURATION:2\r\n");
}

TEST_CASE("delta updates are removed") {
  const auto text = hls::write(good(test::corpus().at("low_latency.m3u8")), {}, {.drop_delta_updates = true});
  CHECK(text.find("#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.0\n") != std::string::npos);
  const auto only = good(kHead + "#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=12.0,CAN-SKIP-DATERANGES=YES\n#EXTINF:2,\na\n");
  CHECK(hls::write(only, {}, {.drop_delta_updates = true}) == kHead + "#EXTINF:2,\na\n");
}

TEST_CASE("blocking reloads are offered where the source has no attribute for them") {
  const auto offering = [](const std::string& text) {
    return hls::write(good(text), {}, {.offer_blocking_reload = true});
  };
  const std::string head = "#EXTM3U\n#EXT-X-SERVER-CONTROL:", rest = "\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na\n";
  CHECK(offering(kHead + "#EXTINF:2,\na\n") == head + "CAN-BLOCK-RELOAD=YES" + rest);
  CHECK(offering(head + "HOLD-BACK=6.0" + rest) == head + "CAN-BLOCK-RELOAD=YES,HOLD-BACK=6.0" + rest);
  for (const std::string said : {"HOLD-BACK=6.0,CAN-BLOCK-RELOAD=YES", "CAN-BLOCK-RELOAD=NO"})
    CHECK(offering(head + said + rest) == head + said + rest);
  CHECK(offering("#EXTM3U\r\n#EXT-X-TARGETDURATION:2\r\n") ==
        "#EXTM3U\r\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\r\n#EXT-X-TARGETDURATION:2\r\n");
  const std::string multivariant = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\na.m3u8\n";
  CHECK(offering(multivariant) == multivariant);
}

TEST_CASE("an implied IV is written for every segment with the source's own number") {
  const auto playlist = good(
      "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:255\n#EXT-X-KEY:METHOD=AES-128,URI=\"k1\"\n#EXTINF:2,"
      "\na\n"
      "#EXTINF:2,\nb\n#EXT-X-KEY:METHOD=AES-128,URI=\"k2\",IV=0x1\n#EXTINF:2,\nc\n");
  const auto text = hls::write(playlist, marked, {.msn_shift = 10, .explicit_ivs = true});
  CHECK(text ==
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:265\n"
        "#EXT-X-KEY:METHOD=AES-128,URI=\"<k1>\",IV=0x000000000000000000000000000000ff\n#EXTINF:2,\n<a>\n"
        "#EXT-X-KEY:METHOD=AES-128,URI=\"<k1>\",IV=0x00000000000000000000000000000100\n#EXTINF:2,\n<b>\n"
        "#EXT-X-KEY:METHOD=AES-128,URI=\"<k2>\",IV=0x1\n#EXTINF:2,\n<c>\n");
}

TEST_CASE("keys of DRM systems have no implied IV") {
  const auto text = test::corpus().at("drm.m3u8");
  CHECK(hls::write(good(text), {}, {.explicit_ivs = true}) == text);
}

TEST_CASE("a playlist without its end is one of a live channel") {
  const std::string head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n";
  const std::string segments = "#EXTINF:2.0,\na0.ts\n#EXTINF:2.0,\na1.ts\n";
  const std::string event = "#EXT-X-PLAYLIST-TYPE:EVENT\n", vod = "#EXT-X-PLAYLIST-TYPE:VOD\n",
                    end = "#EXT-X-ENDLIST\n";
  const auto written = [](const std::string& text) { return hls::write(good(text), {}, {.without_end = true}); };
  CHECK(written(head + segments + end) == head + segments);
  CHECK(written(head + end + segments) == head + segments);
  CHECK(written(head + event + segments + end) == head + event + segments);
  CHECK(written(head + vod + segments + end) == head + segments);
  CHECK(written(head + segments) == head + segments);
}
