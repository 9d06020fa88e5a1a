#include <doctest/doctest.h>

#include <chrono>
#include <ctime>

#include "hls/playlist.h"
#include "hls/playlist_text.h"

using namespace tribune;
using namespace std::chrono_literals;
using hls::UriKind;
using test::good;
using test::kHead;
using test::strict;

namespace {

std::string refused(std::string_view text, const hls::Context& context = {}) {
  const auto playlist = hls::parse(text, context);
  REQUIRE_FALSE(playlist.has_value());
  CHECK(playlist.error().fault == base::Fault::origin);
  return playlist.error().text;
}

std::vector<std::pair<UriKind, std::string>> uris(const hls::Playlist& playlist) {
  std::vector<std::pair<UriKind, std::string>> found;
  for (const auto& use : playlist.uris) found.emplace_back(use.kind, use.uri);
  return found;
}

}  // namespace

TEST_CASE("every URI of a multivariant playlist is found, in order") {
  const auto playlist = good(test::corpus().at("multivariant.m3u8"));
  CHECK(playlist.multivariant);
  const std::vector<std::pair<UriKind, std::string>> expected{
      {UriKind::steering, "/steering?video=00012"}, {UriKind::session_data, "lyrics.json"},
      {UriKind::session_key, "skd://key65"},        {UriKind::rendition, "main/english-audio.m3u8"},
      {UriKind::rendition, "subs/en.m3u8"},         {UriKind::variant, "low/video-only.m3u8"},
      {UriKind::iframe_variant, "low/iframe.m3u8"}, {UriKind::variant, "mid/video-only.m3u8?token=a%20b"},
      {UriKind::image_variant, "img/thumbs.m3u8"}};
  CHECK(uris(playlist) == expected);
}

TEST_CASE("a variant has its own bandwidth, a rendition that of the best variant") {
  const auto playlist = good(
      "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"x\",URI=\"a.m3u8\"\n"
      "#EXT-X-STREAM-INF:AVERAGE-BANDWIDTH=5,BANDWIDTH=1000000,AUDIO=\"a\"\nlow.m3u8\n"
      "#EXT-X-STREAM-INF:BANDWIDTH=9000000\nhigh.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=many\nodd.m3u8\n"
      "#EXT-X-STREAM-INF:CODECS=\"avc1\"\nnone.m3u8\n#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=70000,URI=\"i.m3u8\"\n");
  std::vector<std::int64_t> bandwidths;
  for (const auto& use : playlist.uris) bandwidths.push_back(use.bandwidth_bps);
  CHECK(bandwidths == std::vector<std::int64_t>{9'000'000, 1'000'000, 9'000'000, 0, 0, 70'000});
}

TEST_CASE("parts, hints, maps and reports belong to the segment in whose block they are") {
  const auto playlist = good(test::corpus().at("low_latency.m3u8"));
  CHECK(playlist.media_sequence == 266);
  CHECK(playlist.can_block_reload);
  CHECK(playlist.part_target == 333'340us);
  REQUIRE(playlist.segments.size() == 2);
  CHECK(playlist.segments[0].duration == 4'000'080us);
  CHECK(playlist.segments[0].program_date_time == "2019-02-14T02:13:36.106Z");
  CHECK(playlist.segments[1].parts == 2);
  CHECK(playlist.trailing_parts == 1);
  CHECK(playlist.has_part_hint);
  CHECK(playlist.end_msn() == 268);
  CHECK(playlist.next_msn() == 269);
  for (const auto& use : playlist.uris) {
    if (use.uri == "filePart267.b.mp4") CHECK((use.msn == 267 && use.part == 1));
    if (use.uri == "filePart268.b.mp4") CHECK((use.kind == UriKind::preload_hint && use.msn == 268 && use.part == 1));
    if (use.uri == "init.mp4") CHECK((use.kind == UriKind::map && use.msn == 266));
  }
}

TEST_CASE("the URIs of interstitials are found") {
  const auto found = uris(good(test::corpus().at("interstitials.m3u8")));
  REQUIRE(found.size() == 5);
  CHECK(found[0] == std::pair{UriKind::asset_uri, std::string("http://example.com/ad1.m3u8")});
  CHECK(found[1] == std::pair{UriKind::asset_list, std::string("list.json")});
  CHECK(found[2] == std::pair{UriKind::daterange_uri, std::string("http://example.com/x")});
}

TEST_CASE("a discontinuity applies to the segment after it") {
  const auto playlist =
      good(kHead + "#EXT-X-DISCONTINUITY-SEQUENCE:4\n#EXTINF:2,\na\n#EXT-X-DISCONTINUITY\n#EXTINF:2,\nb\n");
  CHECK(playlist.segments[0].discontinuity_sequence == 4);
  CHECK(playlist.segments[1].discontinuity_sequence == 5);
  CHECK(playlist.segments[1].discontinuities == 1);
}

TEST_CASE("durations are read exactly, to the microsecond") {
  const auto duration = [](const std::string& text) {
    return good(kHead + "#EXTINF:" + text + ",\na\n").segments[0].duration;
  };
  CHECK(duration("2") == 2s);
  CHECK(duration("2.002") == 2'002'000us);
  CHECK(duration("0.1") == 100'000us);
  CHECK(duration("4.0000005") == 4'000'001us);
  CHECK(duration("4.00000049") == 4s);
  CHECK(duration(".5") == 500ms);
  for (const std::string bad : {"", "-1", "1e3", "0x10", "nan", "1000000000", "99999999999999999999"}) {
    CAPTURE(bad);
    refused(kHead + "#EXTINF:" + bad + ",\na\n");
  }
}

TEST_CASE("variables are substituted before a line is classified") {
  const auto playlist = good(test::corpus().at("variables.m3u8"));
  CHECK(playlist.uris[0].uri == "https://media.example/v1/init.mp4");
  CHECK(playlist.uris[1].uri == "https://media.example/v1/seg-1.m4s");
  CHECK(playlist.variables.size() == 2);
}

TEST_CASE("variables come from the parent playlist and from the URL") {
  hls::Context context;
  context.imports = {{"token", "t0"}};
  context.query = "a=1&key=x%2Fy";
  const auto playlist =
      good(kHead + "#EXT-X-DEFINE:IMPORT=\"token\"\n#EXT-X-DEFINE:QUERYPARAM=\"key\"\n#EXTINF:2,\n{$token}/{$key}.ts\n",
           context);
  CHECK(playlist.uris[0].uri == "t0/x/y.ts");
  CHECK(refused(kHead + "#EXT-X-DEFINE:IMPORT=\"none\"\n", context) ==
        "line 3: the variable none to import is not defined");
  CHECK(refused(kHead + "#EXT-X-DEFINE:QUERYPARAM=\"none\"\n", context).find("query parameter none") !=
        std::string::npos);
}

TEST_CASE("a variable that is recursive, unknown or defined twice is refused with its line") {
  CHECK(refused(kHead + "#EXT-X-DEFINE:NAME=\"a\",VALUE=\"{$a}\"\n") ==
        "line 3: the variable a is not defined before it is used");
  CHECK(refused(kHead + "#EXTINF:2,\n{$b}.ts\n") == "line 4: the variable b is not defined before it is used");
  CHECK(refused(kHead + "#EXT-X-DEFINE:NAME=\"a\",VALUE=\"1\"\n#EXT-X-DEFINE:NAME=\"a\",VALUE=\"1\"\n") ==
        "line 4: the variable a is defined twice");
}

TEST_CASE("variables that double each other are refused at the bound") {
  std::string text = kHead + "#EXT-X-DEFINE:NAME=\"v0\",VALUE=\"0123456789\"\n";
  for (int i = 1; i < 60; ++i) {
    const auto last = "{$v" + std::to_string(i - 1) + "}";
    text += "#EXT-X-DEFINE:NAME=\"v" + std::to_string(i) + "\",VALUE=\"" + last + last + "\"\n";
  }
  CHECK(refused(text).find("too long after variable substitution") != std::string::npos);
}

TEST_CASE("a long variable on every line is refused at the size bound of the playlist") {
  hls::Context context;
  context.limits.max_bytes = 200'000;
  std::string text = kHead + "#EXT-X-DEFINE:NAME=\"v\",VALUE=\"" + std::string(10'000, 'x') + "\"\n";
  for (int i = 0; i < 100; ++i) text += "#EXTINF:2,\n{$v}\n";
  CHECK(refused(text, context).find("too long") != std::string::npos);
}

TEST_CASE("a text that is not a playlist is refused with the line and the reason") {
  CHECK(refused("") == "line 1: empty");
  CHECK(refused("<html>") == "line 1: does not begin with #EXTM3U");
  CHECK(refused("\n#EXTM3U\n") == "line 1: does not begin with #EXTM3U");
  CHECK(refused("#EXTM3U8\n") == "line 1: does not begin with #EXTM3U");
  CHECK(refused("\xEF\xBB\xBF#EXTM3U\n", strict()) == "line 1: a byte order mark precedes #EXTM3U");
  CHECK(refused("#EXTM3U\n") ==
        "line 1: neither a media playlist nor a multivariant playlist: it has no tag of either");
  CHECK(refused("#EXTM3U\na.ts\n") == "line 2: a URI precedes all tags that define its kind");
  CHECK(refused("#EXTM3U\n#EXT-X-ENDLIST\n") == "line 2: the media playlist has no EXT-X-TARGETDURATION");
  CHECK(refused(kHead + "#EXTINF:2,\n", strict()) == "line 3: the playlist ends between EXTINF and its URI");
  CHECK(refused(kHead + "a.ts\n", strict()) == "line 3: a segment URI has no EXTINF");
  CHECK(refused(kHead + "#EXTINF:2,\n#EXTINF:2,\na\n", strict()) == "line 4: the EXTINF before this one has no URI");
  CHECK(refused(kHead + "#EXT-X-MEDIA:TYPE=AUDIO\n", strict()) ==
        "line 3: tags of media playlists and of multivariant playlists are mixed");
  CHECK(refused("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n", strict()) ==
        "line 2: the playlist ends between EXT-X-STREAM-INF and its URI");
  CHECK(refused(kHead + "#EXT-X-KEY:METHOD=AES-128,URI=\"x\n") ==
        "line 3: a quoted attribute value has no closing quote");
  CHECK(refused(kHead + "#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n") == "line 3: a delta update (EXT-X-SKIP) was not requested");
}

TEST_CASE("invalid bytes are refused with their line") {
  CHECK(refused(kHead + std::string("#EXTINF:2,\0\na\n", 14), strict()) == "line 3: contains a control character");
  CHECK(refused(kHead + "#EXTINF:2,\ra\n", strict()) == "line 3: contains a control character");
  CHECK(refused(kHead + "#\xC2\x85\n", strict()) == "line 3: contains a control character");
  for (const std::string bad :
       {"\xC3", "\xF0\x9F\x8F", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF", "\xE0\x80\x80"}) {
    CHECK(refused(kHead + "#" + bad + "\n", strict()) == "line 3: is not UTF-8");
  }
  good(kHead +
       "#EXTINF:2,a\ttab, Fu\xC3\x9F"
       "ball \xE2\x9A\xBD\na\n");
}

TEST_CASE("numbers beyond the range of calculations are refused") {
  CHECK(refused(kHead + "#EXT-X-MEDIA-SEQUENCE:99999999999999999999\n").find("too large") != std::string::npos);
  CHECK(refused(kHead + "#EXT-X-MEDIA-SEQUENCE:-1\n").find("not a number") != std::string::npos);
  CHECK(refused(kHead + "#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-MEDIA-SEQUENCE:1\n", strict()).find("twice") !=
        std::string::npos);
  CHECK(refused(kHead + "#EXTINF:2,\na\n#EXT-X-MEDIA-SEQUENCE:1\n").find("after the first segment") !=
        std::string::npos);
  CHECK(refused(kHead + "#EXT-X-BYTERANGE:9223372036854775807@1\n#EXTINF:2,\na\n").find("byte range") !=
        std::string::npos);
  for (const std::string number :
       {"10099999999999999990", "1152921504606846977", "9223372036854775807", "9999999999999999999"})
    CHECK(refused(kHead + "#EXT-X-MEDIA-SEQUENCE:" + number + "\n").find("too large") != std::string::npos);
  CHECK(good(kHead + "#EXT-X-MEDIA-SEQUENCE:1152921504606846976\n").media_sequence == 1152921504606846976);
  const auto big = std::to_string(std::int64_t{1} << 60);
  CHECK(refused(kHead + "#EXT-X-BYTERANGE:" + big + "@" + big + "\n#EXTINF:2,\na\n").find("invalid offset") !=
        std::string::npos);
}

TEST_CASE("a URI that its variables make empty or a fragment is an error") {
  for (const std::string value : {"", " ", "#part", " #part"})
    CHECK(refused(kHead + "#EXT-X-DEFINE:NAME=\"v\",VALUE=\"" + value + "\"\n#EXTINF:2,\n{$v}\n")
              .find("reference to the playlist itself") != std::string::npos);
}

TEST_CASE("an implied byte range needs a preceding range of the same resource") {
  CHECK(refused(kHead + "#EXT-X-BYTERANGE:10\n#EXTINF:2,\na\n").find("line 3: a byte range has no offset") == 0);
  CHECK(
      refused(kHead + "#EXT-X-BYTERANGE:10@0\n#EXTINF:2,\na\n#EXT-X-BYTERANGE:10\n#EXTINF:2,\nb\n").find("line 6: ") ==
      0);
  const auto playlist = good(test::corpus().at("byteranges.m3u8"));
  CHECK(playlist.segments[1].byterange == hls::SubRange{2000, 1720});
}

TEST_CASE("oversized playlists are refused at the bound, before they are parsed") {
  const auto time_of_this_thread = [] {  // CPU time: the load of the machine does not count
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  };
  const auto timed = [&](const std::string& text) {
    const auto start = time_of_this_thread();
    const auto playlist = hls::parse(text);
    const auto took = time_of_this_thread() - start;
    REQUIRE_FALSE(playlist.has_value());
    CHECK(playlist.error().kind == base::ErrorKind::too_large);
    CHECK(took < 250ms);  // parsing such texts takes seconds
  };
  timed(kHead + std::string(50 << 20, 'x'));
  timed(kHead + "#EXTINF:2,\n" + std::string(1 << 20, 'a') + "\n");
  std::string million = kHead;
  while (million.size() < (4u << 20) - 4) million += "#\na\n";
  timed(million);
}

TEST_CASE("every playlist of the corpus that is cut anywhere is read or refused, without a crash") {
  for (const auto& [name, text] : test::corpus())
    for (std::size_t length = 0; length < text.size(); ++length) {
      const auto playlist = hls::parse(std::string_view(text).substr(0, length));
      if (playlist && playlist->flaws.empty()) CHECK(hls::write(*playlist, {}).size() >= length);
    }
}
