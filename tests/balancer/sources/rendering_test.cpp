#include "balancer/sources/rendering.h"

#include <doctest/doctest.h>

#include "balancer/playlist_texts.h"
#include "contracts/link.h"
#include "net/client/gunzip.h"

using namespace tribune;
using namespace tribune::test;
using namespace tribune::balancer;

namespace {

const base::WallTime kWall{std::chrono::seconds{1'700'000'000}};

std::shared_ptr<base::KeyRing> rendering_keys(const std::string& id = "k1") {
  return std::make_shared<base::KeyRing>(std::vector<base::SigningKey>{{id, "0123456789abcdef", std::nullopt}});
}

struct RenderingFixture {
  LinkMaking making{"demo", contracts::origin_set("http://origin/live/demo/main.m3u8", {"https://ads"}),
                    rendering_keys()};
  Timeline timeline{[](std::size_t) { return std::string("ep1"); }};
  SourceLinks source_links;
  base::Metrics metrics;
  base::ManualClock clock;
  std::shared_ptr<RenderedPlaylists> texts = std::make_shared<RenderedPlaylists>(clock, metrics, kRenderedBytes);
  base::SteadyTime now{std::chrono::hours{1}};
  std::int64_t expires = 1'700'100'000;
  std::string path = "720p/v.m3u8";
  std::string base = "http://origin/live/demo/720p/v.m3u8";

  struct Linked {
    std::vector<SourceLinkPtr> links;
    std::vector<NamedPlaylist> playlists;
  };
  base::Result<Linked> linked_of(const hls::Playlist& shown) {
    const LinkPlace place{path,    "v",  *http::parse_uri(base), shown.multivariant ? nullptr : &timeline, "ep1",
                          expires, kWall};
    auto named = source_links.named(shown, making, place);
    auto links = source_links.link(shown, making, place, named);
    if (!links) return tl::unexpected(links.error());
    return Linked{std::move(*links), std::move(named)};
  }
  std::string text(const std::string& source, const LinkPins& pins = {}) {
    auto seen = timeline.observe("v", playlist_of(source), expires, now);
    REQUIRE(seen);
    auto linked = linked_of(*seen->playlist);
    if (!linked) FAIL(linked.error().text);
    return media_text(*seen->playlist, linked->links, pins);
  }
  std::shared_ptr<MediaSnapshot> snapshot(const std::string& source) {
    auto seen = timeline.observe("v", playlist_of(source), expires, now);
    auto linked = linked_of(*seen->playlist);
    return std::make_shared<MediaSnapshot>(seen->playlist, linked->links, kWall, metrics.counter("renders", "r"),
                                           texts);
  }
  std::string query(const std::string& origin_path, const std::string& origin_query = "") {
    return contracts::signed_query(*making.keys, {"demo", "ep1", origin_path, origin_query, expires}, kWall);
  }
};

// The URI lines and attributes of a text, without the rest.
std::vector<std::string> uris(const std::string& text) {
  std::vector<std::string> found;
  for (const auto& use : playlist_of(text).uris) found.push_back(use.uri);
  return found;
}

}  // namespace

TEST_CASE("redirect links are relative to the playlist and signed") {
  RenderingFixture s;
  const auto found = uris(s.text(live_text(5, 7)));
  CHECK(found == std::vector<std::string>{"seg5.ts?" + s.query("720p/seg5.ts"), "seg6.ts?" + s.query("720p/seg6.ts")});
}

TEST_CASE("direct links name the node of their number's pin; init sections and keys do not") {
  RenderingFixture s;
  const auto found = uris(
      s.text(live_text(5, 8, "seg", "#EXT-X-KEY:METHOD=AES-128,URI=\"/keys/k\",IV=0x1\n#EXT-X-MAP:URI=\"init.mp4\"\n"),
             {{0, "http://a:1"}, {7, "http://b:2"}}));
  REQUIRE(found.size() == 5);
  CHECK(found[0] == "../~0/keys/k?" + s.query("~0/keys/k"));
  CHECK(found[1] == "init.mp4?" + s.query("720p/init.mp4"));
  CHECK(found[2] == "http://a:1/media/demo/ep1/720p/seg5.ts?" + s.query("720p/seg5.ts"));
  CHECK(found[3] == "http://a:1/media/demo/ep1/720p/seg6.ts?" + s.query("720p/seg6.ts"));
  CHECK(found[4] == "http://b:2/media/demo/ep1/720p/seg7.ts?" + s.query("720p/seg7.ts"));
}

TEST_CASE("the schemes of DRM systems are unchanged, and dates are at the origin") {
  RenderingFixture s;
  const auto found =
      uris(s.text(live_text(5, 6, "seg",
                            "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://id\",KEYFORMAT=\"f\"\n"
                            "#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI=\"data:text/plain;base64,AAAA\",KEYFORMAT=\"g\"\n"
                            "#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"2026-01-01T00:00:00Z\",X-URI=\"l.json\"\n")));
  CHECK(found[0] == "skd://id");
  CHECK(found[1] == "data:text/plain;base64,AAAA");
  CHECK(found[2] == "http://origin/live/demo/720p/l.json");
}

TEST_CASE("a key or playlist at a foreign origin, or a scheme that means nothing in a playlist, makes it unusable") {
  const std::string key = "#EXT-X-KEY:METHOD=AES-128,IV=0x1,URI=", stream = "#EXT-X-STREAM-INF:BANDWIDTH=1\n";
  const std::string date = "#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"2026-01-01T00:00:00Z\",";
  const auto error_of = [](const std::string& text) {
    RenderingFixture s;
    const auto source = playlist_of(text);
    if (source.multivariant) {
      s.path = "index.m3u8";
      s.base = "http://origin/live/demo/main.m3u8";
      const auto linked = s.linked_of(source);
      return linked ? std::string() : linked.error().text;
    }
    const auto seen = s.timeline.observe("v", source, s.expires, s.now);
    REQUIRE(seen);
    const auto linked = s.linked_of(*seen->playlist);
    return linked ? std::string() : linked.error().text;
  };
  const auto media = [](const std::string& lines) { return live_text(5, 6, "seg", lines); };
  const auto main = [](const std::string& lines) {
    return "#EXTM3U\n" + lines + "#EXT-X-STREAM-INF:BANDWIDTH=9\nv.m3u8\n";
  };
  for (const auto& foreign : {media(key + "\"https://evil/k\"\n"), main(stream + "https://evil/v.m3u8\n"),
                              main("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"x\",URI=\"//evil/a.m3u8\"\n"),
                              main("#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI=\"https://evil/i.m3u8\"\n"),
                              main("#EXT-X-SESSION-KEY:METHOD=AES-128,URI=\"https://evil/k\"\n"),
                              media("#EXT-X-RENDITION-REPORT:URI=\"https://evil/v.m3u8\",LAST-MSN=1\n")})
    CHECK(error_of(foreign).find("is at no origin of the channel") != std::string::npos);
  for (const auto& scheme : {media(key + "\"javascript:alert(1)\"\n"), media(key + "\" java script:alert(1)\"\n"),
                             media(key + "\"file:///etc/passwd\"\n"), main(stream + "data:,x\n"),
                             media(date + "X-ASSET-URI=\"JavaScript:alert(1)\"\n"),
                             main("#EXT-X-SESSION-DATA:DATA-ID=\"a\",URI=\"blob:x\"\n")})
    CHECK(error_of(scheme).find("which is not allowed here") != std::string::npos);
  for (const auto& fine : {media(key + "\"urn:uuid:1\"\n"), media(date + "X-ASSET-URI=\"https://ads/a.m3u8\"\n"),
                           media(date + "X-ASSET-LIST=\"data:application/json,{}\"\n"),
                           main("#EXT-X-SESSION-DATA:DATA-ID=\"a\",URI=\"https://elsewhere/d.json\"\n")})
    CHECK(error_of(fine) == "");
}

TEST_CASE(
    "documents at the channel's origins are served here, others are absolute, and a setting leaves all unchanged") {
  RenderingFixture s;
  const std::string list = "#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"2026-01-01T00:00:00Z\",X-ASSET-LIST=";
  const auto text = live_text(
      5, 6, "seg",
      list + "\"l.json?a=%2f\"\n" + list + "\"https://elsewhere/l.json\"\n" + list + "\"data:application/json,{}\"\n");
  const auto found = uris(s.text(text));
  CHECK(found[0].starts_with("../~doc/assets/fnE9WVQwbE1tWQ/720p/l.json?tl=doc.0.k1."));  // the escape %2f in the query
                                                                                          // would not arrive unchanged
  CHECK(found[1] == "https://elsewhere/l.json");
  CHECK(found[2] == "data:application/json,{}");
  s.making.keys = rendering_keys("k2");
  CHECK(uris(s.text(text))[0] == found[0]);  // a listed link keeps its text
  s.making.serves_documents = false;
  CHECK(uris(s.text(text))[0] == "http://origin/live/demo/720p/l.json?a=%2f");
}

TEST_CASE("session data and the source's steering manifest of a multivariant playlist are served by this balancer") {
  RenderingFixture s;
  s.path = "index.m3u8";
  s.base = "http://origin/live/demo/main.m3u8";
  const auto linked = s.linked_of(
      playlist_of("#EXTM3U\n#EXT-X-SESSION-DATA:DATA-ID=\"a\",URI=\"a.json\"\n#EXT-X-SESSION-DATA:DATA-ID=\"b\",FORMAT="
                  "RAW,URI=\"/b.bin\"\n"
                  "#EXT-X-CONTENT-STEERING:SERVER-URI=\"https://ads/"
                  "steer?x=1\",PATHWAY-ID=\"A\"\n#EXT-X-STREAM-INF:BANDWIDTH=1,PATHWAY-ID=\"A\"\nv.m3u8\n"));
  REQUIRE(linked);
  std::vector<std::string> found;
  for (const auto& link : linked->links) {
    CHECK(link->is_within_session);
    found.push_back(link->reference.substr(0, link->reference.find('?')));
  }
  CHECK(found ==
        std::vector<std::string>{"~doc/json/-/a.json", "~doc/raw/-/~0/b.bin", "~doc/steering/eD0x/~1/steer", "v.m3u8"});
}

TEST_CASE("a segment or init section of an unknown origin makes the playlist unusable") {
  RenderingFixture s;
  for (const std::string bad :
       {"http://other/", "file:///etc/passwd#", "data:video/mp4,", "https://origin/live/demo/"}) {
    CAPTURE(bad);
    const auto playlist = live(5, 6, bad);
    const auto fine = SourceLinks::check(playlist, s.making.origins, *http::parse_uri(s.base));
    REQUIRE_FALSE(fine);
    CHECK(fine.error().fault == base::Fault::origin);
    CHECK(fine.error().text.find("line 6: ") == 0);
    CHECK_FALSE(s.linked_of(playlist));
  }
  CHECK(SourceLinks::check(live(5, 6, "https://ads/x/"), s.making.origins, *http::parse_uri(s.base)));
}

TEST_CASE("a listed link keeps its text: another key, another host after a redirect, a later expiry") {
  RenderingFixture s;
  const LinkPins pins{{0, "http://a:1"}};
  const auto before = uris(s.text(live_text(5, 8), pins));
  s.making.keys = rendering_keys("k2");
  s.base = "https://ads/mirror/v.m3u8";
  s.expires += 1000;
  s.now += std::chrono::seconds{2};
  const auto after = uris(s.text(live_text(6, 9), pins));
  CHECK(after[0] == before[1]);
  CHECK(after[1] == before[2]);
  CHECK(after[2] == "http://a:1/media/demo/ep1/~1/mirror/seg8.ts?" + s.query("~1/mirror/seg8.ts"));
}

TEST_CASE("a hint keeps its text when it becomes a part") {
  RenderingFixture s;
  const std::string head = live_text(5, 6) + "#EXT-X-PART:DURATION=1,URI=\"p0\"\n";
  const auto hinted = uris(s.text(head + "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"p1\"\n", {{0, "http://a"}}));
  s.making.keys = rendering_keys("k2");
  const auto listed = uris(s.text(head + "#EXT-X-PART:DURATION=1,URI=\"p1\"\n", {{0, "http://a"}}));
  CHECK(hinted[2] == listed[2]);
}

TEST_CASE("a part has its own link when it differs from the hint before it") {
  RenderingFixture s;
  const std::string head = live_text(5, 6) + "#EXT-X-PART:DURATION=1,URI=\"p0\"\n";
  const LinkPins pins{{0, "http://a"}};
  const auto hinted = uris(s.text(head + "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"programme1\"\n", pins));
  CHECK(hinted[2].find("programme1") != std::string::npos);
  SUBCASE("the next hint is another one") {
    const auto changed = uris(s.text(head + "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"ad1\"\n", pins));
    CHECK(changed[2].find("/ad1?") != std::string::npos);
  }
  const auto listed = uris(s.text(head + "#EXT-X-PART:DURATION=1,URI=\"ad1\"\n", pins));
  CHECK(listed[2].find("/ad1?") != std::string::npos);
  s.making.keys = rendering_keys("k2");
  CHECK(uris(s.text(head + "#EXT-X-PART:DURATION=1,URI=\"ad1?token=2\"\n", pins))[2] ==
        listed[2]);  // a listed link keeps its text
}

TEST_CASE("a part of another byte range than its hint has the same link with that range") {
  RenderingFixture s;
  const std::string head = live_text(5, 6) + "#EXT-X-PART:DURATION=1,URI=\"p\",BYTERANGE=\"10@0\"\n";
  const auto hinted = uris(s.text(head + "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"p\",BYTERANGE-START=10\n"));
  const auto text = s.text(head + "#EXT-X-PART:DURATION=1,URI=\"p\",BYTERANGE=\"5@20\"\n");
  CHECK(uris(text)[2] == hinted[2]);
  CHECK(text.find("BYTERANGE=\"5@20\"") != std::string::npos);
}

TEST_CASE("a gap that is filled later gets the link of the segment") {
  RenderingFixture s;
  const auto gaps = uris(
      s.text(live_text(5, 6) + "#EXT-X-GAP\n#EXTINF:2.0,\nseg6.ts\n#EXT-X-PART:DURATION=1,URI=\"p0.mp4\", GAP=YES\n"));
  CHECK(gaps[1] == "../~gap/6.ts");
  CHECK(gaps[2] == "../~gap/7-0.mp4");
  const auto filled = uris(s.text(live_text(5, 7) + "#EXT-X-PART:DURATION=1,URI=\"p0.mp4\"\n"));
  CHECK(filled[1] == "seg6.ts?" + s.query("720p/seg6.ts"));
  CHECK(filled[2] == "p0.mp4?" + s.query("720p/p0.mp4"));
  const auto lost = uris(
      s.text(live_text(5, 6) + "#EXT-X-GAP\n#EXTINF:2.0,\nseg6.ts\n#EXT-X-PART:DURATION=1,URI=\"p0.mp4\",GAP=YES\n"));
  CHECK(lost[1] == filled[1]);
  CHECK(lost[2] == filled[2]);
}

TEST_CASE("links that exceed the bound end where they reach it") {
  RenderingFixture s;
  auto playlist = live(5, 2'005);
  for (auto& use : playlist.uris) use.uri += "?" + std::string(1'000, 'q');
  const auto place = [&](std::uint64_t bytes) {
    LinkPlace at{s.path, "v", *http::parse_uri(s.base), nullptr, "ep1", s.expires, kWall};
    at.limits.max_rewritten_bytes = bytes;
    return at;
  };
  const auto refused = s.source_links.link(playlist, s.making, place(1'000'000), {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == base::ErrorKind::too_large);
  CHECK(s.source_links.link(playlist, s.making, place(8'000'000), {}));
}

TEST_CASE("a new pin changes the text from its number on, and the ETag with it") {
  RenderingFixture s;
  const auto snapshot = s.snapshot(live_text(5, 8));
  const auto one = snapshot->render({{0, "http://a"}});
  const auto two = snapshot->render({{0, "http://a"}, {7, "http://b"}});
  CHECK(one->etag != two->etag);
  CHECK(uris(*one->body)[1] == uris(*two->body)[1]);
  CHECK(uris(*one->body)[2] != uris(*two->body)[2]);
  CHECK(one->gzip_etag != one->etag);
}

TEST_CASE("viewers with equal pins share one rendered text, however many pin lists there are") {
  RenderingFixture s;
  const auto snapshot = s.snapshot(live_text(5, 8));
  const auto first = snapshot->render({{0, "http://a"}});
  for (int i = 0; i < 1'000; ++i) snapshot->render({{0, "http://n" + std::to_string(i)}});
  for (int i = 0; i < 1'000; ++i) snapshot->render({{0, "http://n" + std::to_string(i)}});
  CHECK(snapshot->render({{0, "http://a"}}) == first);
  CHECK(s.metrics.counter("renders", "r").value() == 1'001);
}

TEST_CASE("the cached texts of a snapshot are removed with it") {
  RenderingFixture s;
  auto snapshot = s.snapshot(live_text(5, 8));
  snapshot->render({});
  CHECK(s.texts->bytes() > 0);
  snapshot.reset();
  CHECK(s.texts->bytes() == 0);
}

TEST_CASE("after a pin without node, links are relative to the balancer") {
  RenderingFixture s;
  const auto found = uris(s.text(live_text(5, 8), {{0, "http://a"}, {7, ""}}));
  CHECK(found[1].starts_with("http://a/media/"));
  CHECK(found[2] == "seg7.ts?" + s.query("720p/seg7.ts"));
}

TEST_CASE("the compressed body is the same text") {
  RenderingFixture s;
  const auto rendering = s.snapshot(live_text(5, 40))->render({});
  REQUIRE(rendering->gzip);
  CHECK(rendering->gzip->size() < rendering->body->size());
  net::Gunzip gunzip;
  gunzip.feed(*rendering->gzip);
  std::string text;
  for (auto piece = gunzip.next(); piece && !piece->empty(); piece = gunzip.next()) text += *piece;
  CHECK(gunzip.is_complete());
  CHECK(text == *rendering->body);
}

TEST_CASE("children of a multivariant playlist are below the session at the bare URL") {
  RenderingFixture s;
  s.making.serves_documents = false;
  s.path = "index.m3u8";
  s.base = "http://origin/live/demo/main.m3u8";
  const auto source = playlist_of(
      "#EXTM3U\r\n#EXT-X-CONTENT-STEERING:SERVER-URI=\"/"
      "st\"\r\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"x\",URI=\"a/a.m3u8?t=1\"\r\n"
      "#EXT-X-STREAM-INF:BANDWIDTH=1\r\nindex.m3u8\r\n#EXT-X-STREAM-INF:BANDWIDTH=2\r\nx.m3u8\r\n");
  const auto linked = s.linked_of(source);
  REQUIRE(linked);
  const MultivariantSnapshot snapshot(source, linked->links, kWall);
  const auto expected = [](const std::string& prefix) {
    return "#EXTM3U\r\n#EXT-X-CONTENT-STEERING:SERVER-URI=\"http://origin/"
           "st\"\r\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"x\",URI=\"" +
           prefix + "a/a.m3u8?t=1\"\r\n#EXT-X-STREAM-INF:BANDWIDTH=1\r\n" + prefix +
           "~media/index.m3u8\r\n#EXT-X-STREAM-INF:BANDWIDTH=2\r\n" + prefix + "x.m3u8\r\n";
  };
  CHECK(*snapshot.render({})->body == expected(""));
  CHECK(snapshot.text_for_bare_url("tok.en") == expected("~tok.en/"));
  REQUIRE(linked->playlists.size() == 3);
  CHECK(linked->playlists[0].path == "a/a.m3u8");
  CHECK(linked->playlists[0].query == "t=1");
  CHECK(linked->playlists[1].uri.text() == "http://origin/live/demo/index.m3u8");
}

TEST_CASE("a source without variants gets a multivariant playlist with one variant") {
  const MultivariantSnapshot snapshot(OnlyVariant{3'000'000}, kWall);
  CHECK(*snapshot.render({})->body == "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=3000000\n~media.m3u8\n");
  CHECK(snapshot.text_for_bare_url("t") == "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=3000000\n~t/~media.m3u8\n");
}

TEST_CASE("the variant of a source without variants has the known properties of its media") {
  OnlyVariant variant{3'000'000, 2'400'000, {{"avc1.64001f", "mp4a.40.2"}, 1280, 720, 30'000 / 1001.0}};
  CHECK(*MultivariantSnapshot(variant, kWall).render({})->body ==
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=3000000,AVERAGE-BANDWIDTH=2400000,CODECS=\"avc1.64001f,mp4a.40.2\","
        "RESOLUTION=1280x720,FRAME-RATE=29.970\n"
        "~media.m3u8\n");
  variant.media = {{"mp4a.40.2"}};
  CHECK(*MultivariantSnapshot(variant, kWall).render({})->body ==
        "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=3000000,AVERAGE-BANDWIDTH=2400000,CODECS=\"mp4a.40.2\"\n~media.m3u8\n");
}
