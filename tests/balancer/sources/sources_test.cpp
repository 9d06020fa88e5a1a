#include "balancer/sources/sources.h"

#include <doctest/doctest.h>

#include <fmt/format.h>

#include "balancer/sources_fixture.h"

using namespace tribune;
using namespace tribune::test;
using namespace tribune::balancer;
using namespace std::chrono_literals;

TEST_CASE("playlists that the multivariant one names are served, from memory after the first time, on every worker") {
  SourcesFixture s;
  publish(s.origin);
  for (const std::string id : {"a", "b", "c", "d"}) s.add(id, "http://o/live/main.m3u8");
  s.configure();
  for (const std::string id : {"a", "b", "c", "d"}) {
    CHECK(s.text(id, "index.m3u8") == kMain);
    CHECK(s.text(id, "v/a.m3u8").find("one5.ts?tl=") != std::string::npos);
    CHECK(s.text(id, "v/a.m3u8", "q=2&_HLS_skip=YES&cache=x").find("two5.ts?tl=") != std::string::npos);
    const auto again = s.get(id, "v/a.m3u8");
    CHECK_FALSE(again->waited);
  }
  CHECK(s.origin.count("http://o/live/v/a.m3u8") == 4);
}

TEST_CASE("a media playlist can be requested first, and one that is not named is unknown") {
  SourcesFixture s;
  publish(s.origin);
  s.origin.set("http://o/live/secret.m3u8", live_text(1, 2));
  s.add("demo", "http://o/live/main.m3u8");
  s.configure();
  CHECK(s.text("demo", "v/a.m3u8").find("one5.ts") != std::string::npos);
  for (const std::string path :
       {"secret.m3u8", "main.m3u8", "v/../secret.m3u8", "~0/live/secret.m3u8", "~media.m3u8", ""}) {
    CAPTURE(path);
    const auto answer = s.get("demo", path);
    REQUIRE_FALSE(answer);
    CHECK(problem_of(answer.error()).status == 404);
  }
  CHECK(s.origin.count("http://o/live/secret.m3u8") == 0);
  CHECK(s.origin.count("http://o/live/main.m3u8") == 1);
  CHECK(problem_of(s.get("none", "index.m3u8").error()).status == 404);
}

TEST_CASE("a source without a multivariant playlist is served below a generated one") {
  SourcesFixture s;
  s.origin.set("http://o/live/index.m3u8", live_text(5, 8));
  s.add("demo", "http://o/live/index.m3u8");
  s.configure();
  CHECK(s.text("demo", "index.m3u8").find("\n~media.m3u8\n") != std::string::npos);
  CHECK(s.text("demo", "~media.m3u8").find("seg5.ts?tl=") != std::string::npos);
}

TEST_CASE("listed links keep their text across a restart, a key rotation and another day") {
  SourcesFixture s;
  publish(s.origin);
  s.add("demo", "http://o/live/main.m3u8");
  s.configure();
  const auto before = s.text("demo", "v/a.m3u8");
  s.configure("k2");
  CHECK(s.text("demo", "v/a.m3u8") == before);
  s.end();
  s.clock.advance(7h);
  s.begin();
  s.configure();
  CHECK(s.text("demo", "v/a.m3u8") == before);
}

TEST_CASE("an ended playlist gets new links before the old ones expire") {
  SourcesFixture s;
  publish(s.origin);
  s.origin.set("http://o/live/v/a.m3u8", live_text(0, 2, "end") + "#EXT-X-ENDLIST\n");
  s.add("demo", "http://o/live/main.m3u8");
  s.configure();
  const auto before = s.text("demo", "v/a.m3u8");
  s.end();
  s.clock.advance(20h);
  s.begin();
  s.configure();
  const auto after = s.text("demo", "v/a.m3u8");
  CHECK(after != before);
  CHECK(after.find("end0.ts?tl=") != std::string::npos);
}

namespace {

/// An event playlist of 2 s segments: no segment leaves it.
std::string event_text(std::int64_t end, const std::string& tail = "") {
  return live_text(0, end, "seg", "#EXT-X-PLAYLIST-TYPE:EVENT\n") + tail;
}

/// When the first link of a text expires, in unix seconds.
std::int64_t first_expiry(const std::string& text) {
  const auto from = text.find('.', text.find("?tl=")) + 1;
  return std::stoll(text.substr(from));
}

std::int64_t unix_now(const SourcesFixture& s) { return base::unix_seconds(s.clock.wall_now()); }

/// Whether a link of that expiry is accepted now.
bool is_accepted(SourcesFixture& s, std::int64_t expiry) {
  const auto listed = s.sources->listed_links();
  if (!listed || expiry >= unix_now(s)) return true;
  const auto from = listed->find("demo");
  return from != listed->end() && expiry >= from->second;
}

}  // namespace

TEST_CASE("links of a long event keep their text and are accepted while listed, also after the balancer was killed") {
  SourcesFixture s;
  publish(s.origin);
  s.add("demo", "http://o/live/main.m3u8");
  s.channels.front().link_lifetime = 1min;
  s.configure();
  s.origin.set("http://o/live/v/a.m3u8", event_text(3));
  const auto first = s.text("demo", "v/a.m3u8");
  const auto expiry = first_expiry(first);
  CHECK(s.sources->listed_links()->empty());  // all are valid
  for (int minute = 1; minute <= 30; ++minute) {
    s.clock.advance(1min);
    s.origin.set("http://o/live/v/a.m3u8", event_text(3 + minute));
    const auto text = s.text("demo", "v/a.m3u8");
    CHECK(text.starts_with(first));
    CHECK(is_accepted(s, expiry));
  }
  CHECK(expiry < unix_now(s));
  s.end();
  s.begin();
  CHECK(s.sources->listed_links() == nullptr);  // otherwise nodes would learn that nothing is listed
  s.configure();
  s.text("demo", "v/a.m3u8", "q=2");
  CHECK(is_accepted(s, expiry));
  CHECK(s.text("demo", "v/a.m3u8").starts_with(first));
  // The event ends: listed links stay, and they are valid for a viewer that watches from the beginning now.
  s.origin.set("http://o/live/v/a.m3u8", event_text(34, "#EXT-X-ENDLIST\n"));
  s.clock.advance(10s);
  CHECK(s.text("demo", "v/a.m3u8").starts_with(first));
  s.clock.advance(50s);
  CHECK(is_accepted(s, expiry));
  // When all viewers of the live event are gone, new viewers get new links, and the old links stay valid for the
  // playlist's length.
  s.clock.advance(2min);
  s.end();
  s.begin();
  s.configure();
  const auto renewed = s.text("demo", "v/a.m3u8");
  CHECK(first_expiry(renewed) >= unix_now(s) + 68 + 60);
  s.clock.advance(68s);
  CHECK(is_accepted(s, expiry));
  s.clock.advance(1h);
  CHECK_FALSE(is_accepted(s, expiry));
}

TEST_CASE("the first viewer after any time finds links that nodes accept already, and listed entries keep their text") {
  const std::string vod = "#EXT-X-PLAYLIST-TYPE:VOD\n";
  struct Shape {
    std::string name;
    std::function<std::string(std::int64_t)> text;  // after so many further segments
    bool keeps_text;
  };
  const std::vector<Shape> shapes = {
      {"live", [](auto more) { return live_text(more, 10 + more); }, false},
      {"long window", [](auto more) { return live_text(more, 300 + more); }, false},
      {"event", [](auto more) { return event_text(10 + more); }, true},
      {"recording", [&](auto) { return live_text(0, 10, "seg", vod) + "#EXT-X-ENDLIST\n"; }, false}};
  for (const auto& shape : shapes)
    for (const auto unwatched : {10s, 45s, 90s, 200s, 8 * 3600s})
      for (const bool is_restarted : {false, true}) {
        // An ended playlist is not fetched again before its timer, which runs on the real clock.
        if (shape.name == "recording" && !is_restarted) continue;
        CAPTURE(shape.name);
        CAPTURE(unwatched.count());
        CAPTURE(is_restarted);
        SourcesFixture s;
        publish(s.origin);
        s.add("demo", "http://o/live/main.m3u8");
        s.channels.front().link_lifetime = 1min;
        s.configure();
        s.origin.set("http://o/live/v/a.m3u8", shape.text(0));
        const auto before = s.text("demo", "v/a.m3u8");
        // Before the clock moves: a refresh by the timer, which runs on the real clock, must not find the former text.
        const auto newest = shape.text((unwatched + (is_restarted ? 10min : 0min)) / 2s);
        s.origin.set("http://o/live/v/a.m3u8", newest);
        s.clock.advance(unwatched);
        if (is_restarted) {
          s.end();
          s.begin();
          s.configure();
          s.text("demo", "v/a.m3u8", "q=2");
          s.clock.advance(10min);
        }
        const auto known_to_nodes = s.sources->listed_links();
        REQUIRE(known_to_nodes);
        const auto text = s.text("demo", "v/a.m3u8");
        const auto from = known_to_nodes->find("demo");
        const bool is_valid = first_expiry(text) >= unix_now(s);
        CHECK((is_valid || (from != known_to_nodes->end() && first_expiry(text) >= from->second)));
        const auto last = newest.substr(newest.rfind("seg"), newest.rfind(".ts") - newest.rfind("seg"));
        CHECK(text.find(last + ".ts") != std::string::npos);
        if (shape.keeps_text) CHECK(text.starts_with(before));
      }
}

TEST_CASE("links of an event that nobody requests after a restart are accepted until the channel has another source") {
  SourcesFixture s;
  publish(s.origin);
  publish(s.origin, "http://p/tv/");
  s.add("demo", "http://o/live/main.m3u8");
  s.channels.front().link_lifetime = 1min;
  s.configure();
  s.origin.set("http://o/live/v/a.m3u8", event_text(10));
  const auto expiry = first_expiry(s.text("demo", "v/a.m3u8"));
  s.end();
  s.begin();
  s.configure();
  CHECK_FALSE(s.get("demo", "unknown.m3u8"));  // reaches the owner, so the holds are in force now
  s.clock.advance(24h);
  CHECK(is_accepted(s, expiry));
  s.channels.front().source = "http://p/tv/main.m3u8";
  s.configure();
  CHECK_FALSE(s.get("demo", "unknown.m3u8"));
  s.clock.advance(1s);
  CHECK_FALSE(is_accepted(s, expiry));
}

TEST_CASE("links of a recording outlast it for every viewer, whenever they load it") {
  SourcesFixture s;
  publish(s.origin);
  s.add("demo", "http://o/live/main.m3u8");
  s.channels.front().link_lifetime = 1min;
  s.configure();
  const auto length = 600;
  s.origin.set("http://o/live/v/a.m3u8",
               live_text(0, length / 2, "seg", "#EXT-X-PLAYLIST-TYPE:VOD\n") + "#EXT-X-ENDLIST\n");
  for (int i = 0; i < 12; ++i) {
    CHECK(first_expiry(s.text("demo", "v/a.m3u8")) >= unix_now(s) + length + 30);
    s.clock.advance(std::chrono::seconds{37 * i});
    s.end();
    s.begin();
    s.configure();
  }
}

TEST_CASE("a link is accepted for its lifetime after its segment left a long window, and then no longer") {
  SourcesFixture s;
  publish(s.origin);
  s.add("demo", "http://o/live/main.m3u8");
  s.channels.front().link_lifetime = 1min;
  s.configure();
  const auto show = [&](std::int64_t end) {
    s.origin.set("http://o/live/v/a.m3u8", live_text(end - 300, end));  // ten minutes
    return s.text("demo", "v/a.m3u8");
  };
  const auto expiry = first_expiry(show(300));
  std::int64_t refused_after = 0;
  for (std::int64_t end = 310; end < 1500; end += 10) {
    s.clock.advance(20s);
    show(end);
    CHECK(is_accepted(s, first_expiry(show(end))));
    if (refused_after == 0 && !is_accepted(s, expiry)) refused_after = end * 2;
  }
  CHECK(refused_after >= 1200 + 60);  // the 300 segments left the window within twenty minutes of media
  CHECK(refused_after <= 1200 + 240);
}

TEST_CASE("the links of a long window are accepted after a change of the source, as long as viewers may use them") {
  SourcesFixture s;
  publish(s.origin);
  publish(s.origin, "http://p/tv/");
  s.add("demo", "http://o/live/main.m3u8");
  s.channels.front().link_lifetime = 1min;
  s.configure();
  s.origin.set("http://o/live/v/a.m3u8", event_text(300));
  const auto expiry = first_expiry(s.text("demo", "v/a.m3u8"));
  s.clock.advance(3min);
  s.origin.set("http://o/live/v/a.m3u8", event_text(390));
  s.text("demo", "v/a.m3u8");
  s.channels.front().source = "http://p/tv/main.m3u8";
  s.configure();
  CHECK_FALSE(s.get("demo", "unknown.m3u8"));
  CHECK(expiry < unix_now(s));
  CHECK(is_accepted(s, expiry));
  s.clock.advance(1h);
  CHECK_FALSE(is_accepted(s, expiry));
}

TEST_CASE("a restart of the source while the balancer is down opens a new epoch above the old numbers") {
  SourcesFixture s;
  publish(s.origin);
  s.add("demo", "http://o/live/main.m3u8");
  s.configure();
  s.text("demo", "v/a.m3u8");
  s.end();
  s.origin.set("http://o/live/v/a.m3u8", live_text(0, 2, "new"));
  s.begin();
  s.configure();
  const auto text = s.text("demo", "v/a.m3u8");
  CHECK(text.find("#EXT-X-MEDIA-SEQUENCE:8\n") != std::string::npos);
  CHECK(text.find("#EXT-X-DISCONTINUITY-SEQUENCE:1\n") != std::string::npos);
}

TEST_CASE("a channel with a new source starts anew, and one that was removed is unknown") {
  SourcesFixture s;
  publish(s.origin);
  publish(s.origin, "http://p/tv/");
  s.add("demo", "http://o/live/main.m3u8");
  s.add("gone", "http://o/live/main.m3u8");
  s.configure();
  s.text("demo", "v/a.m3u8");
  s.channels = {};
  s.add("demo", "http://p/tv/main.m3u8");
  s.configure();
  CHECK_FALSE(s.get("demo", "unknown.m3u8"));  // reaches the owner, so the new source is in force now
  CHECK(s.text("demo", "index.m3u8") == kMain);
  CHECK(s.origin.count("http://p/tv/main.m3u8") == 1);
  CHECK(problem_of(s.get("gone", "index.m3u8").error()).status == 404);
}

TEST_CASE("a channel that one reload removes and a later one adds again continues its numbers and links") {
  SourcesFixture s;
  publish(s.origin);
  s.add("demo", "http://o/live/main.m3u8");
  s.configure();
  const auto before = s.text("demo", "v/a.m3u8");
  const auto channels = std::exchange(s.channels, {});
  s.configure();
  CHECK_FALSE(s.get("demo", "index.m3u8"));
  s.clock.advance(2s);
  s.channels = channels;
  s.configure();
  SUBCASE("its source continues meanwhile") { CHECK(s.text("demo", "v/a.m3u8") == before); }
  SUBCASE("its source begins anew meanwhile") {
    s.origin.set("http://o/live/v/a.m3u8", live_text(0, 2, "new"));
    const auto text = s.text("demo", "v/a.m3u8");
    CHECK(text.find("#EXT-X-MEDIA-SEQUENCE:8\n") != std::string::npos);
    CHECK(text.find("#EXT-X-DISCONTINUITY-SEQUENCE:1\n") != std::string::npos);
  }
}

TEST_CASE("a cancelled lookup is not called back, and a drain refuses no request") {
  SourcesFixture s;
  publish(s.origin);
  s.add("demo", "http://o/live/main.m3u8");
  s.configure();
  int called = 0;
  {
    const auto pending = s.sources->look_up(*s.workers[0], {"demo", "index.m3u8", ""}, [&](auto) { ++called; });
  }
  s.sources->drain();
  CHECK(s.get("demo", "v/a.m3u8"));
  s.first.loop.post([&] { s.first.loop.stop(); });
  s.first.loop.run();
  CHECK(called == 0);
}

TEST_CASE("malformed reload directives are the client's fault") {
  SourcesFixture s;
  s.add("demo", "http://o/live/main.m3u8");
  s.configure();
  CHECK(problem_of(s.get("demo", "index.m3u8", "_HLS_part=1").error()).status == 400);
}

TEST_CASE("a channel with blocking reloads offers them and reads what they name; an ended playlist offers none") {
  const std::string offer = "#EXTM3U\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES\n";
  SourcesFixture s;
  publish(s.origin);
  s.origin.set("http://o/live/v/a.m3u8?q=2", live_text(5, 8, "two") + "#EXT-X-ENDLIST\n");
  for (const std::string id : {"held", "plain"}) s.add(id, "http://o/live/main.m3u8");
  s.channels.front().blocking_reload = true;
  s.configure();
  CHECK(s.text("held", "v/a.m3u8").starts_with(offer));
  CHECK(s.text("held", "v/a.m3u8", "_HLS_msn=7").starts_with(offer));
  CHECK(problem_of(s.get("held", "v/a.m3u8", "_HLS_msn=10").error()).status == 400);
  CHECK_FALSE(s.text("held", "v/a.m3u8", "q=2").starts_with(offer));
  CHECK_FALSE(s.text("plain", "v/a.m3u8").starts_with(offer));
  CHECK(s.get("plain", "v/a.m3u8", "_HLS_msn=10"));
}

TEST_CASE("the status lists every playlist that was requested") {
  SourcesFixture s;
  publish(s.origin);
  s.add("demo", "http://o/live/main.m3u8");
  s.configure();
  s.text("demo", "v/a.m3u8");
  base::json::Writer w;
  w.begin_object();
  s.sources->describe(w);
  w.end_object();
  const auto value = base::json::parse(w.text());
  REQUIRE(value);
  CHECK(value->find("sources")->array.size() == 2);
  CHECK(s.metrics.scrape().find("tribune_balancer_source_refreshes_total{channel=\"demo\",result=\"new\"} 2") !=
        std::string::npos);
  CHECK(s.metrics.scrape().find("tribune_balancer_source_age_seconds{channel=\"demo\"} 0") != std::string::npos);
}

TEST_CASE("a rendition without viewers stays known as long as the multivariant playlist names it") {
  SourcesFixture s;
  publish(s.origin);
  s.add("demo", "http://o/live/main.m3u8");
  s.configure();
  s.text("demo", "index.m3u8");
  s.text("demo", "v/a.m3u8", "q=2");
  for (int minute = 1; minute <= 25; ++minute) {
    s.clock.advance(1min);
    s.origin.set("http://o/live/v/a.m3u8", live_text(5 + minute, 8 + minute, "one"));
    s.text("demo", "index.m3u8");
    s.text("demo", "v/a.m3u8");
  }
  CHECK(s.get("demo", "v/a.m3u8", "q=2"));
  s.clock.advance(3h);
  s.origin.set("http://o/live/v/a.m3u8", live_text(31, 34, "one"));
  s.text("demo", "v/a.m3u8");
  CHECK(s.get("demo", "v/a.m3u8", "q=2"));
}

TEST_CASE("a rendition that is neither named nor requested is forgotten") {
  SourcesFixture s;
  publish(s.origin);
  s.add("demo", "http://o/live/main.m3u8");
  s.configure();
  s.text("demo", "v/a.m3u8", "q=2");
  s.origin.set("http://o/live/main.m3u8", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nw/b.m3u8\n");
  s.origin.set("http://o/live/w/b.m3u8", live_text(5, 8, "two"));
  s.clock.advance(1min);
  s.text("demo", "index.m3u8");
  CHECK(s.get("demo", "v/a.m3u8", "q=2"));  // a viewer may still watch it
  s.clock.advance(11min);
  s.origin.set("http://o/live/w/b.m3u8", live_text(9, 12, "two"));
  s.text("demo", "w/b.m3u8");
  s.text("demo", "w/b.m3u8");
  CHECK_FALSE(s.get("demo", "v/a.m3u8", "q=2"));
}

namespace {

/// A multivariant playlist whose children have another token in each response, and these children.
void publish_with_token(Origin& origin, int token, const std::string& pattern) {
  std::string main = "#EXTM3U\n";
  for (int variant = 1; variant <= 40; ++variant) {
    const auto child = fmt::format(fmt::runtime(pattern), fmt::arg("v", variant), fmt::arg("t", token));
    main += fmt::format("#EXT-X-STREAM-INF:BANDWIDTH={}\n{}\n", variant * 1000, child);
    origin.set("http://o/live/" + child, live_text(token, token + 3, fmt::format("seg{}-", variant)));
  }
  origin.set("http://o/live/main.m3u8", main);
}

/// Whether the playlist lists the segment eventually. Refreshers also use timers of the real clock: such a refresh of
/// the multivariant playlist may come just before the origin publishes the new one, and the next refresh is 30 s later.
bool comes_to_list(SourcesFixture& s, const std::string& path, const std::string& query, const std::string& segment) {
  for (int load = 0; load < 10; ++load) {
    if (s.text("demo", path, query).find(segment) != std::string::npos) return true;
    s.clock.advance(7s);
    s.text("demo", "index.m3u8");
  }
  return false;
}

std::string line_of(const std::string& text, int line) {
  std::size_t begin = 0;
  for (int i = 0; i < line; ++i) begin = text.find('\n', begin) + 1;
  return text.substr(begin, text.find('\n', begin) - begin);
}

}  // namespace

TEST_CASE(
    "children with a new URI in each response keep their names across restarts, and are fetched at the newest URI") {
  for (const std::string pattern : {"v{v}.m3u8?token={t}", "list.m3u8?v={v}&token={t}", "t/{t}/v{v}.m3u8"}) {
    CAPTURE(pattern);
    SourcesFixture s;
    publish_with_token(s.origin, 1, pattern);
    s.add("demo", "http://o/live/main.m3u8");
    s.configure();
    const auto first = s.text("demo", "index.m3u8");
    const auto child = line_of(first, 6);  // the third variant's
    const auto mark = child.find('?');
    const auto path = child.substr(0, mark), query = mark == std::string::npos ? "" : child.substr(mark + 1);
    for (int token = 2; token <= 120; ++token) {
      s.clock.advance(31s);
      publish_with_token(s.origin, token, pattern);
      CHECK(s.text("demo", "index.m3u8") == first);
      if (token % 20 == 0) CHECK(comes_to_list(s, path, query, fmt::format("seg3-{}.ts", token + 2)));
    }
    s.end();
    publish_with_token(s.origin, 121, pattern);
    s.clock.advance(31s);
    s.begin();
    s.configure();
    CHECK(comes_to_list(s, path, query, "seg3-123.ts"));
    CHECK(s.text("demo", "index.m3u8") == first);
    CHECK(s.metrics.scrape().find("playlists_left_out_total{channel=\"demo\"} 0") != std::string::npos);
  }
}

TEST_CASE("playlists beyond a channel's bound are left out and counted, and named ones stay") {
  SourcesFixture s;
  std::string main = "#EXTM3U\n";
  for (std::size_t i = 0; i < kMaxPlaylists + 10; ++i)
    main += fmt::format("#EXT-X-STREAM-INF:BANDWIDTH=1\nv{}.m3u8\n", i);
  s.origin.set("http://o/live/main.m3u8", main);
  s.origin.set("http://o/live/v0.m3u8", live_text(5, 8));
  s.add("demo", "http://o/live/main.m3u8");
  s.configure();
  s.text("demo", "index.m3u8");
  CHECK(s.get("demo", "v0.m3u8"));
  CHECK(problem_of(s.get("demo", fmt::format("v{}.m3u8", kMaxPlaylists + 5)).error()).status == 404);
  CHECK(s.metrics.scrape().find("playlists_left_out_total{channel=\"demo\"} 11") != std::string::npos);
}

TEST_CASE("rendition reports of a source without a multivariant playlist name playlists that are served") {
  SourcesFixture s;
  const std::string reports =
      "#EXT-X-RENDITION-REPORT:URI=\"index.m3u8\",LAST-MSN=7\n#EXT-X-RENDITION-REPORT:URI=\"low.m3u8\",LAST-MSN=7\n";
  s.origin.set("http://o/live/index.m3u8", live_text(5, 8) + reports);
  s.origin.set("http://o/live/low.m3u8", live_text(5, 8, "low"));
  s.add("demo", "http://o/live/index.m3u8");
  s.configure();
  s.text("demo", "index.m3u8");
  const auto media = s.text("demo", "~media.m3u8");
  CHECK(media.find("URI=\"~media.m3u8\",LAST-MSN=7") != std::string::npos);
  CHECK(media.find("URI=\"low.m3u8\",LAST-MSN=7") != std::string::npos);
  CHECK(s.text("demo", "low.m3u8").find("low5.ts") != std::string::npos);
}

TEST_CASE("a playlist whose own query has a key with a meaning in the balancer's URLs is served") {
  SourcesFixture s;
  const auto asset =
      "#EXT-X-DATERANGE:ID=\"ad\",CLASS=\"com.apple.hls.interstitial\",START-DATE=\"2026-01-01T00:00:00Z\",X-ASSET-URI="
      "\"ad.m3u8?_HLS_x=1&ad=7\"\n";
  s.origin.set("http://o/live/main.m3u8", kMain);
  s.origin.set("http://o/live/v/a.m3u8", live_text(5, 8, "one", asset));
  s.origin.set("http://o/live/v/ad.m3u8?_HLS_x=1&ad=7", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nad1.m3u8\n");
  s.add("demo", "http://o/live/main.m3u8");
  s.configure();
  const auto text = s.text("demo", "v/a.m3u8");
  CHECK(text.find("X-ASSET-URI=\"ad.m3u8?ad=7\"") != std::string::npos);
  CHECK(s.text("demo", "v/ad.m3u8", "ad=7&_HLS_primary_id=5").find("ad1.m3u8") != std::string::npos);
}

TEST_CASE(
    "a variable from the query of the source's URL is defined, with its value where other text than links needs it") {
  SourcesFixture s;
  s.origin.set(
      "http://o/live/main.m3u8?token=ab&name=x%22y",
      "#EXTM3U\n#EXT-X-DEFINE:QUERYPARAM=\"token\"\n#EXT-X-DEFINE:QUERYPARAM=\"name\"\n"
      "#EXT-X-SESSION-DATA:DATA-ID=\"a\",VALUE=\"{$name}\"\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8?t={$token}\n");
  s.origin.set(
      "http://o/live/v.m3u8?t=ab",
      live_text(5, 8, "seg", "#EXT-X-DEFINE:IMPORT=\"token\"\n#EXT-X-DEFINE:QUERYPARAM=\"t\"\n#EXT-X-NOTE:{$t}\n"));
  s.add("demo", "http://o/live/main.m3u8?token=ab&name=x%22y");
  s.configure();
  const auto text = s.text("demo", "index.m3u8");
  CHECK(text.find("#EXT-X-DEFINE:NAME=\"token\",VALUE=\"\"\n#EXT-X-DEFINE:NAME=\"name\",VALUE=\"x%22y\"\n") !=
        std::string::npos);
  CHECK(text.find("\nv.m3u8?t=ab\n") != std::string::npos);
  CHECK(s.text("demo", "v.m3u8", "t=ab")
            .find("#EXT-X-DEFINE:IMPORT=\"token\"\n#EXT-X-DEFINE:NAME=\"t\",VALUE=\"ab\"\n") != std::string::npos);
}

TEST_CASE("all answers of a media playlist share one publication; a multivariant playlist has none") {
  SourcesFixture s;
  publish(s.origin);
  s.add("demo", "http://o/live/main.m3u8");
  s.configure();
  CHECK_FALSE(s.get("demo", "index.m3u8")->publication);
  const auto waited = s.get("demo", "v/a.m3u8"), from_memory = s.get("demo", "v/a.m3u8");
  REQUIRE(waited);
  REQUIRE(from_memory);
  REQUIRE(waited->publication);
  CHECK(from_memory->publication == waited->publication);
  s.origin.set("http://o/live/v/a.m3u8", live_text(6, 9, "one"));
  s.clock.advance(10s);
  const auto newer = s.get("demo", "v/a.m3u8");
  REQUIRE(newer);
  CHECK(newer->snapshot != waited->snapshot);
  CHECK(newer->publication == waited->publication);
  CHECK(s.get("demo", "v/a.m3u8", "q=2")->publication != waited->publication);
}
