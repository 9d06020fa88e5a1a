#include "balancer/viewer/playlist_request_flow.h"

#include "balancer/playlist_flow_fixture.h"

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;
using test::kVhs;
using test::PlaylistFlowFixture;

namespace {

std::string token_in(const std::string& base) {
  return base.substr(base.find('~') + 1, base.rfind('/') - base.find('~') - 1);
}

std::string link_query(PlaylistFlowFixture& s, const std::string& channel, const std::string& path = "v/seg1.ts") {
  return contracts::signed_query(s.keys, {channel, "e1", path, "", base::unix_seconds(s.clock.wall_now()) + 3600},
                                 s.clock.wall_now());
}

}  // namespace

TEST_CASE("the bare URL opens a session and names it in every child") {
  PlaylistFlowFixture s;
  const auto outcome = s.get("/live/demo/index.m3u8");
  REQUIRE(outcome->status() == 200);
  CHECK(outcome->header("Cache-Control") == "no-store");
  CHECK(s.admission.sessions("demo") == 1);
  const auto token = token_in("/live/demo/" + outcome->body().substr(6));
  const auto read = contracts::read_token(s.keys, "demo", token, test::kNow, test::kSkew);
  REQUIRE(read);
  CHECK(outcome->note.session == contracts::session_name(read->session));
  CHECK_FALSE(outcome->is_open);
}

TEST_CASE("the bare URL with a token continues that session") {
  PlaylistFlowFixture s;
  const auto token = token_in(s.open("demo"));
  const auto again = s.get("/live/demo/index.m3u8?session=" + token);
  CHECK(again->body() == "under ~" + token + "/");
  CHECK(s.admission.sessions() == 1);
}

TEST_CASE("HEAD of the bare URL opens no counted session") {
  PlaylistFlowFixture s;
  CHECK(s.get("/live/demo/index.m3u8", {}, http::Method::head)->status() == 200);
  CHECK(s.admission.sessions() == 0);
}

TEST_CASE("an unknown channel, a forged token and another channel's token are refused with their reason") {
  PlaylistFlowFixture s;
  const auto base = s.open("demo");
  CHECK(s.get("/live/none/index.m3u8")->status() == 404);
  CHECK(s.get("/live/none/index.m3u8")->body().find("/problems/channel-unknown") != std::string::npos);
  for (const auto& target :
       {std::string("/live/demo/~x/v.m3u8"), "/live/redirect/~" + token_in(base) + "/v.m3u8",
        std::string("/live/demo/index.m3u8?session="), "/live/demo/index.m3u8?session=" + token_in(base) + "A"}) {
    CAPTURE(target);
    const auto outcome = s.get(target);
    CHECK(outcome->status() == 403);
    CHECK(outcome->body().find("/problems/session-invalid") != std::string::npos);
    CHECK(outcome->note.reason == "session_invalid");
  }
  CHECK(s.admission.sessions() == 1);
  CHECK(s.metric("tribune_balancer_playlists_total{kind=\"media\",result=\"session_invalid\"}") == 2);
}

TEST_CASE("a media playlist is rendered by the session's pins and can be revalidated") {
  PlaylistFlowFixture s;
  const auto base = s.open("direct");
  const auto outcome = s.get(base + "v.m3u8?CMCD=bl%3D1");
  CHECK(outcome->body() == "media 0=http://s:81");
  CHECK(outcome->note.node == "stadium");
  CHECK(outcome->note.reason == "default_group");
  CHECK(outcome->note.cache == "hit");
  CHECK(s.lookups.back() == "direct v.m3u8?CMCD=bl%3D1");
  CHECK(s.get(base + "v.m3u8", {{"If-None-Match", outcome->header("ETag")}})->status() == 304);
  CHECK(s.metric("tribune_balancer_playlists_total{kind=\"media\",result=\"ok\"}") == 1);
  CHECK(s.metric("tribune_balancer_playlists_total{kind=\"media\",result=\"not_modified\"}") == 1);
}

TEST_CASE("the multivariant playlist within a session is the shared one") {
  PlaylistFlowFixture s;
  CHECK(s.get(s.open("direct") + "index.m3u8")->body() == "multivariant");
}

TEST_CASE("the player determines the links mode when the session is opened, and the session keeps it") {
  PlaylistFlowFixture s;
  const auto vhs = s.open("demo", kVhs), browser = s.open("demo", {{"User-Agent", "Mozilla/5.0 Chrome/120"}});
  CHECK(s.get(vhs + "v.m3u8")->body() == "media 0=http://s:81");
  CHECK(s.get(browser + "v.m3u8", kVhs)->body() == "media");
}

TEST_CASE("when the node fails, new segments come from another one and listed text stays") {
  PlaylistFlowFixture s;
  s.hear("stadium");
  const auto base = s.open("direct");
  s.get(base + "v.m3u8");
  s.lose("stadium");
  CHECK(s.get(base + "v.m3u8")->body() == "media 0=http://s:81");
  s.playlists["v.m3u8"] = std::make_shared<test::FakeSnapshot>(false, 101, 107);
  CHECK(s.get(base + "v.m3u8")->body() == "media 0=http://s:81 106=http://c:82");
  s.playlists["a.m3u8"] = std::make_shared<test::FakeSnapshot>(false, 100, 107);
  CHECK(s.get(base + "a.m3u8")->body() == "media 0=http://s:81 106=http://c:82");
}

TEST_CASE("when the node fails, players that accept it get all links from another one") {
  PlaylistFlowFixture s;
  s.hear("stadium");
  const auto base = s.open("demo", kVhs);
  s.get(base + "v.m3u8", kVhs);
  s.lose("stadium");
  CHECK(s.get(base + "v.m3u8", kVhs)->body() == "media 0=http://c:82");
}

TEST_CASE("the node that the client named serves it, from the next segment on, to the end of the session") {
  PlaylistFlowFixture s;
  const auto base = s.open("direct", {}, "?cache=city");
  CHECK(s.get(base + "v.m3u8")->body() == "media 0=http://c:82");
  const auto moved = s.get(base + "v.m3u8", {{"X-Cache-Id", "stadium"}});
  CHECK(moved->note.reason == "client_cache");
  s.playlists["v.m3u8"] = std::make_shared<test::FakeSnapshot>(false, 101, 107);
  CHECK(s.get(base + "v.m3u8")->body() == "media 0=http://c:82 106=http://s:81");
  CHECK(s.get(base + "v.m3u8?cache=nowhere")->body() == "media 0=http://c:82 106=http://s:81");
}

TEST_CASE("a segment in redirect mode is redirected to the session's present node") {
  PlaylistFlowFixture s;
  s.hear("stadium");
  const auto base = s.open("redirect");
  const auto query = link_query(s, "redirect");
  const auto first = s.get(base + "v/seg1.ts?" + query + "&CMCD=x");
  CHECK(first->status() == 307);
  CHECK(first->header("Location") == "http://s:81/media/redirect/e1/v/seg1.ts?" + query + "&CMCD=x");
  CHECK(first->header("Cache-Control") == "no-store");
  CHECK(first->note.node == "stadium");
  s.lose("stadium");
  CHECK(s.get(base + "v/seg1.ts?" + query)->header("Location").starts_with("http://c:82/"));
  CHECK(s.metric("tribune_balancer_redirects_total{result=\"ok\"}") == 2);
  CHECK(s.lookups.size() == 1);
}

TEST_CASE("forged and expired links are not redirected") {
  PlaylistFlowFixture s;
  const auto base = s.open("redirect");
  const auto query = link_query(s, "redirect");
  CHECK(s.get(base + "v/seg2.ts?" + query)->status() == 403);
  CHECK(s.get(base + "v/seg1.ts?" + link_query(s, "demo"))->body().find("link-invalid") != std::string::npos);
  s.clock.advance(2h);
  const auto late = s.get(base + "v/seg1.ts?" + query);
  CHECK(late->status() == 403);
  CHECK(late->body().find("/problems/link-expired") != std::string::npos);
}

TEST_CASE("if every node is silent the one with the last heartbeat serves") {
  PlaylistFlowFixture s;
  s.hear("stadium");
  s.lose("stadium");
  s.lose("city");
  for (int i = 0; i < 20; ++i) {
    s.clock.advance(100ms);
    s.nodes.check();
  }
  const auto base = s.open("direct");
  const auto outcome = s.get(base + "v.m3u8");
  CHECK(outcome->body() == "media 0=http://s:81");
  CHECK(outcome->note.reason == "least_bad");
}

TEST_CASE("without any node playlists name the balancer, and segments get a problem") {
  PlaylistFlowFixture s;
  s.nodes.configure({}, 1800ms);
  const auto base = s.open("direct");
  CHECK(s.get(base + "v.m3u8")->body() == "media");
  const auto outcome = s.get(base + "v/seg1.ts?" + link_query(s, "direct"));
  CHECK(outcome->status() == 503);
  CHECK(outcome->body().find("/problems/node-unavailable") != std::string::npos);
}

TEST_CASE("a request waits for a playlist that is not available yet") {
  PlaylistFlowFixture s;
  const auto base = s.open("direct");
  s.playlists["late.m3u8"] = nullptr;
  const auto outcome = s.get(base + "late.m3u8?_HLS_msn=107&_HLS_part=1");
  CHECK(s.lookups.back() == "direct late.m3u8?_HLS_msn=107&_HLS_part=1");
  CHECK(outcome->status() == 0);
  CHECK(outcome->is_open);
  REQUIRE(s.waiting.size() == 1);
  s.waiting[0](PlaylistAnswer{s.playlists["v.m3u8"], false, true});
  CHECK(outcome->status() == 200);
  CHECK(outcome->note.cache == "waited");
  CHECK_FALSE(outcome->is_open);
}

TEST_CASE("a waiting request whose client leaves is dropped, and its answer affects no other") {
  PlaylistFlowFixture s;
  const auto base = s.open("direct");
  s.playlists["late.m3u8"] = nullptr;
  const auto leaves = s.get(base + "late.m3u8"), stays = s.get(base + "late.m3u8");
  REQUIRE(leaves->gone);
  leaves->leave();
  CHECK_FALSE(leaves->is_open);
  for (auto& answer : s.waiting) answer(PlaylistAnswer{s.playlists["v.m3u8"], false, true});
  CHECK(leaves->status() == 0);
  CHECK(stays->status() == 200);
  CHECK(s.metric("tribune_balancer_playlists_total{kind=\"media\",result=\"gone\"}") == 1);
}

TEST_CASE("a source that fails gives a problem, and no session is kept for it") {
  PlaylistFlowFixture s;
  s.playlists.erase("index.m3u8");
  const auto outcome = s.get("/live/demo/index.m3u8");
  CHECK(outcome->status() == 404);
  CHECK(outcome->header("Content-Type") == "application/problem+json");
  CHECK_FALSE(outcome->response->headers.first("Retry-After"));
  CHECK(s.admission.sessions() == 0);
}

TEST_CASE("a stale playlist is reported in the log and the metrics") {
  PlaylistFlowFixture s;
  const auto base = s.open("direct");
  s.is_stale = true;
  CHECK(s.get(base + "v.m3u8")->note.cache == "stale");
  CHECK(s.metric("tribune_balancer_playlists_total{kind=\"media\",result=\"stale\"}") == 1);
}

TEST_CASE("a session lives for three target durations after its last playlist") {
  PlaylistFlowFixture s;
  const auto base = s.open("direct");
  s.get(base + "v.m3u8");
  CHECK(s.pins.size() == 1);
  const auto sweep = [&] { s.admission.tick([&](auto id) { s.pins.release(id); }); };
  s.clock.advance(17s);
  sweep();
  CHECK(s.admission.sessions() == 1);
  s.clock.advance(3s);
  sweep();
  CHECK(s.admission.sessions() == 0);
  CHECK(s.pins.size() == 0);
  CHECK(s.get(base + "v.m3u8")->status() == 200);
  CHECK(s.admission.sessions() == 1);
}

TEST_CASE("a session whose playlist has ended lasts as long as its segments, and not beyond the bound") {
  PlaylistFlowFixture s;
  s.playlists["v.m3u8"] = std::make_shared<test::FakeSnapshot>(false, 0, 1'000, true);  // 1,000 segments of 6 s
  SUBCASE("the duration of its segments is the limit") {}
  SUBCASE("the bound is the limit") { s.ended_session_idle = 95min; }
  s.publish();
  const auto base = s.open("direct");
  s.get(base + "v.m3u8");
  const auto sleep = [&](std::chrono::minutes time) {
    for (; time > 0min; time -= 10min) {
      s.clock.advance(10min);
      s.admission.tick();
    }
  };
  sleep(90min);
  CHECK(s.admission.sessions() == 1);
  CHECK(s.get(base + "v.m3u8")->status() == 200);  // another variant, half way
  sleep(90min);
  CHECK(s.admission.sessions() == 1);
  sleep(20min);
  CHECK(s.admission.sessions() == 0);
}

TEST_CASE("a request counts for its client's network once, however often it renews the session") {
  PlaylistFlowFixture s;
  access::AccessSettings settings;
  settings.max_networks_per_session = 1;
  s.admission.configure(settings, {{"direct", 5}});
  s.playlists["v.m3u8"] = std::make_shared<test::FakeSnapshot>(false, 0, 1'000, true);  // renewed once more, for longer
  s.address = "10.1.0.1";
  const auto base = s.open("direct");
  CHECK(s.get(base + "v.m3u8")->status() == 200);
  CHECK(s.metric("tribune_access_shared_requests_total") == 0);
  s.address = "10.2.0.1";
  CHECK(s.get(base + "v.m3u8")->status() == 200);
  CHECK(s.metric("tribune_access_shared_requests_total") == 1);
}

TEST_CASE("at the bound no new session is opened, and no active one is ended") {
  PlaylistFlowFixture s;
  PlaylistFlowFixture former;
  const auto foreign = former.open("direct");
  const auto base = s.open("direct");
  s.open("direct");
  s.open("direct");
  const auto refused = s.get("/live/direct/index.m3u8");
  CHECK(refused->status() == 403);
  CHECK(s.get(base + "v.m3u8")->status() == 200);
  CHECK(s.get(foreign + "v.m3u8")->body() == "media 0=http://s:81");
  CHECK(s.admission.sessions() == 3);
  CHECK(s.pins.size() == 1);
}

TEST_CASE("a new configuration is in force for the next request, and sessions stay") {
  PlaylistFlowFixture s;
  const auto base = s.open("demo");
  auto next = std::make_shared<EventView>(*s.view.get());
  auto event = std::make_shared<contracts::Event>(*next->event);
  event->channels.pop_back();
  next->event = event;
  s.view.publish(next);
  CHECK(s.get("/live/redirect/index.m3u8")->status() == 404);
  CHECK(s.get(base + "v.m3u8")->status() == 200);
}

namespace {

/// Two viewers, one at each node, and a snapshot that ends with MSN 106 and that "stadium" does not fill yet.
struct HeldSnapshot : PlaylistFlowFixture {
  std::string slow, quick;

  HeldSnapshot() {
    hear("stadium");
    hear("city");
    slow = open("direct", {}, "?cache=stadium");
    quick = open("direct", {}, "?cache=city");
    const auto former = std::make_shared<test::FakeSnapshot>(false, 100, 106);
    const auto newest = std::make_shared<test::FakeSnapshot>(false, 101, 107);
    playlists["v.m3u8"] = newest;
    publication = std::make_shared<PlaylistPublication>();
    publication->hold.hold(1, former, {"stadium"});
  }
  ~HeldSnapshot() { publication->hold.forget(); }
  void turn() {
    loop.post([this] { loop.stop(); });
    loop.run();
  }
};

}  // namespace

TEST_CASE_FIXTURE(HeldSnapshot, "a segment that a node does not fill yet is held from its viewers only") {
  get(quick + "v.m3u8");
  get(slow + "v.m3u8");
  // Pins record what was listed: a viewer that moves now gets the other node from the first segment on that it has not
  // seen.
  const auto moved = get(quick + "v.m3u8?cache=stadium");
  CHECK(moved->body() == "media 0=http://c:82");
  publication->hold.open(1, "stadium");
  playlists["v.m3u8"] = std::make_shared<test::FakeSnapshot>(false, 101, 108);
  CHECK(get(quick + "v.m3u8")->body() == "media 0=http://c:82 107=http://s:81");
  CHECK(get(slow + "v.m3u8?cache=city")->body() == "media 0=http://s:81 106=http://c:82");
}

TEST_CASE_FIXTURE(HeldSnapshot,
                  "a blocking reload for a segment that its node does not fill yet is answered once it does") {
  want = BlockingReload{106, std::nullopt};
  CHECK(get(quick + "v.m3u8?_HLS_msn=106")->status() == 200);
  const auto held = get(slow + "v.m3u8?_HLS_msn=106");
  const auto left = get(slow + "v.m3u8?_HLS_msn=106");
  turn();
  CHECK_FALSE(held->response);
  left->leave();
  CHECK_FALSE(left->is_open);
  publication->hold.open(1, "stadium");
  CHECK_FALSE(held->response);  // on its own loop
  turn();
  CHECK(held->status() == 200);
  CHECK(held->note.cache == "waited");
  CHECK(metric("tribune_balancer_playlists_total{kind=\"media\",result=\"gone\"}") == 1);
  want = BlockingReload{105, std::nullopt};
  CHECK(get(slow + "v.m3u8?_HLS_msn=105")->status() == 200);
}
