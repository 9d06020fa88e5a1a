#include "balancer/sources/probe/source_probe.h"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "balancer/playlist_texts.h"
#include "balancer/sources/probe/known_media.h"
#include "http/uri.h"
#include "support/scripted_client.h"

using namespace tribune;
using namespace tribune::test;
using namespace tribune::balancer;
using namespace std::chrono_literals;

namespace {

struct ProbeAnswer {
  int status = 200;
  std::string content_range = {};
  std::string body = {};
  std::optional<std::uint64_t> content_length = {};
};

std::string mp4_box(std::string_view type, const std::string& body) {
  std::string size;
  for (int i = 4; i-- > 0;) size.push_back(static_cast<char>((body.size() + 8) >> (8 * i) & 0xff));
  return size + std::string(type) + body;
}

std::string init_section(std::string_view codec = "ac-3") {
  const auto stsd = mp4_box("stsd", std::string(8, '\0') + mp4_box(codec, std::string(28, '\0')));
  return mp4_box("moov", mp4_box("trak", mp4_box("mdia", mp4_box("hdlr", std::string(8, '\0') + "soun") +
                                                             mp4_box("minf", mp4_box("stbl", stsd)))));
}

const http::Uri kBase = *http::parse_uri("http://o/live/index.m3u8?t=1");
const std::string kMap = "#EXT-X-MAP:URI=\"init.mp4\"\n";

struct ProbeFixture {
  net::EventLoop loop;
  std::map<std::string, ProbeAnswer> answers;  // of the origin; other URLs get no response
  ScriptedClient client{loop, [this](const net::FetchRequest& request) { return answer_to(request); }};
  SourceProbe probe{client, loop};
  net::FetchRequest like;

  ProbeFixture() {
    like.destinations.allowed_origins = {"http://o"};
    like.headers.add("If-None-Match", "\"x\"");
  }
  std::optional<ScriptedResponse> answer_to(const net::FetchRequest& request) const {
    const auto found = answers.find(request.url);
    if (found == answers.end()) return std::nullopt;
    const auto& answer = found->second;
    ScriptedResponse response{answer.status, answer.body, {}, answer.content_length};
    if (!answer.content_range.empty()) response.headers.add("Content-Range", answer.content_range);
    return response;
  }
  std::string range_of(const std::string& url) {
    for (const auto& request : client.requests())
      if (request.url == url) return std::string(request.headers.first("Range").value_or(""));
    return "not asked";
  }
  ProbeResult probe_if_due(const hls::Playlist& playlist) {
    const auto target = probe_target(playlist, kBase);
    REQUIRE(target);
    std::optional<ProbeResult> result;
    probe.begin(*target, like, [&](ProbeResult found) {
      result = std::move(found);
      loop.stop();
    });
    loop.run();
    REQUIRE(result);
    CHECK_FALSE(probe.is_probing());
    return *result;
  }
};

}  // namespace

TEST_CASE("the newest segment of a live playlist is probed, the first one of an ended playlist, and no gap") {
  CHECK(probe_target(live(5, 8), kBase)->segment.url == "http://o/live/seg7.ts");
  CHECK(probe_target(playlist_of(live_text(5, 8) + "#EXT-X-ENDLIST\n"), kBase)->segment.url == "http://o/live/seg5.ts");
  CHECK(probe_target(playlist_of(live_text(5, 8) + "#EXT-X-GAP\n#EXTINF:2,\ngap.ts\n"), kBase)->segment.url ==
        "http://o/live/seg7.ts");
  CHECK(probe_target(live(5, 8), kBase)->duration == 2s);
  CHECK_FALSE(probe_target(playlist_of("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-GAP\n#EXTINF:2,\ngap.ts\n"), kBase));
}

TEST_CASE("the init section is the one in force for the segment, with its byte range") {
  const auto target = probe_target(
      playlist_of("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=\"a.mp4\"\n#EXTINF:2,\na.m4s\n"
                  "#EXT-X-MAP:URI=\"all.mp4\",BYTERANGE=\"700@10\"\n#EXTINF:2,\n#EXT-X-BYTERANGE:5000@710\nall.mp4\n"
                  "#EXT-X-PRELOAD-HINT:TYPE=MAP,URI=\"next.mp4\"\n"),
      kBase);
  REQUIRE(target);
  CHECK(target->init.url == "http://o/live/all.mp4");
  CHECK(target->init.range == hls::SubRange{700, 10});
  CHECK(target->segment.range == hls::SubRange{5'000, 710});
}

TEST_CASE("a byte range of the init section counts only when all of it is valid") {
  const auto range_of_init = [](const std::string& range) {
    const auto parsed = hls::parse("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=\"a.mp4\",BYTERANGE=\"" + range +
                                   "\"\n#EXTINF:2,\na.m4s\n");
    const auto target = parsed ? probe_target(*parsed, kBase) : std::nullopt;
    return target ? target->init.range : std::nullopt;
  };
  CHECK(range_of_init("1@0") == hls::SubRange{1, 0});
  CHECK(range_of_init("700@1") == hls::SubRange{700, 1});
  for (const std::string bad : {"0@0", "-1@0", "1@-1", "1@", "@1", "1@1x", "1x", "1#1", "x", ""}) {
    CAPTURE(bad);
    CHECK_FALSE(range_of_init(bad));
  }
}

TEST_CASE("only the beginning is requested, from known destinations, and the whole length gives the bandwidth") {
  ProbeFixture s;
  s.answers["http://o/live/init.mp4"] = {206, "bytes 0-99/100", init_section()};
  s.answers["http://o/live/seg7.ts"] = {206, "bytes 0-524287/1000000", std::string(524'288, 'x')};
  const auto result = s.probe_if_due(live(5, 8, "seg", kMap));
  CHECK(result.facts.codecs == std::vector<std::string>{"ac-3"});
  CHECK(result.bandwidth_bps == 4'000'000);
  CHECK_FALSE(result.error);
  CHECK(s.range_of("http://o/live/seg7.ts") == "bytes=0-524287");
  for (const auto& request : s.client.requests()) {
    CHECK(request.destinations.allowed_origins == s.like.destinations.allowed_origins);
    CHECK_FALSE(request.headers.first("If-None-Match"));
  }
}

TEST_CASE("an origin without range support is read no further than needed") {
  ProbeFixture s;
  s.answers["http://o/live/init.mp4"] = {200, "", init_section()};
  s.answers["http://o/live/seg7.ts"] = {200, "", std::string(2'000'000, 'x'), 2'000'000};
  CHECK(s.probe_if_due(live(5, 8, "seg", kMap)).bandwidth_bps == 8'000'000);
}

TEST_CASE("a response for another part of the file, or none, is an error that keeps the result of the other file") {
  for (const auto& bad : std::vector<ProbeAnswer>{{404}, {206, "bytes 5-9/10", "xxxxx"}, {302}, {416}}) {
    CAPTURE(bad.status);
    ProbeFixture s;
    s.answers["http://o/live/init.mp4"] = {200, "", init_section()};
    s.answers["http://o/live/seg7.ts"] = bad;
    const auto result = s.probe_if_due(live(5, 8, "seg", kMap));
    CHECK(result.error);
    CHECK(result.facts.codecs == std::vector<std::string>{"ac-3"});
    CHECK(result.bandwidth_bps == 0);
  }
}

TEST_CASE("a response that ignores the byte range is not used as the beginning of the file") {
  ProbeFixture s;
  s.answers["http://o/live/all.mp4"] = {200, "", init_section(), 100};
  const auto result = s.probe_if_due(
      playlist_of("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=\"all.mp4\",BYTERANGE=\"700@10\"\n#EXTINF:2,"
                  "\n#EXT-X-BYTERANGE:5000@710\nall.mp4\n"));
  CHECK(result.facts.empty());
  CHECK(result.error);
}

TEST_CASE("a probe of a silent origin ends at its deadline") {
  ProbeFixture s;
  s.like.deadlines.total = 20ms;
  const auto result = s.probe_if_due(live(5, 8));
  REQUIRE(result.error);
  CHECK(result.error->kind == base::ErrorKind::timeout);
}

TEST_CASE(
    "the media of a generation is probed once; a failed probe is repeated later, another generation is probed anew") {
  ProbeFixture s;
  KnownMedia media(s.client, s.loop);
  base::SteadyTime now{};
  std::vector<KnownMedia::Result> results;
  const auto probe_if_due = [&](const std::string& generation) {
    media.probe_if_due(generation, live(5, 8, "seg", kMap), kBase, s.like, now,
                       [&](KnownMedia::Result result, const std::optional<base::Error>&) {
                         results.push_back(result);
                         s.loop.stop();
                       });
    if (media.is_probing()) s.loop.run();
  };
  s.answers["http://o/live/init.mp4"] = {404};
  s.answers["http://o/live/seg7.ts"] = {200, "", std::string(1'000, 'x')};
  probe_if_due("a");
  CHECK(media.variant(std::nullopt, 5'000'000).bandwidth_bps == 5'000'000);
  s.answers["http://o/live/init.mp4"] = {200, "", init_section()};
  probe_if_due("a");
  CHECK(results == std::vector{KnownMedia::Result::failed});
  now += 31s;
  probe_if_due("a");
  CHECK(media.variant(std::nullopt, 5'000'000).bandwidth_bps == 5'000);
  CHECK(media.variant(std::nullopt, 5'000'000).average_bandwidth_bps == 4'000);
  CHECK(media.variant(7'000, 5'000'000).bandwidth_bps == 7'000);
  CHECK(media.variant(1'000, 5'000'000).bandwidth_bps == 4'000);
  s.answers["http://o/live/init.mp4"] = {200, "", init_section("ec-3")};
  now += 1h;
  probe_if_due("a");
  CHECK(media.variant(std::nullopt, 1).media.codecs == std::vector<std::string>{"ac-3"});
  probe_if_due("b");
  CHECK(media.variant(std::nullopt, 1).media.codecs == std::vector<std::string>{"ec-3"});
  CHECK(results == std::vector{KnownMedia::Result::failed, KnownMedia::Result::found, KnownMedia::Result::found});
}
