#include <array>

#include "balancer/playlist_flow_fixture.h"
#include "contracts/token.h"

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;
using contracts::LinksMode;
using contracts::LinkUse;

namespace {

const contracts::EntitledDevice kPhone{11, 22, 0};

/// A paid channel, with an owner of it.
struct PaidChannel : test::PlaylistFlowFixture {
  explicit PaidChannel(LinksMode links = LinksMode::automatic) {
    paid_links = links;
    publish();
    hear("stadium");
  }

  /// The path prefix of a session that was opened for this device; nullopt: for an account that owns nothing.
  std::string prefix_of(std::optional<contracts::EntitledDevice> device = kPhone, LinksMode links = LinksMode::direct) {
    contracts::Token token{"paid", ++session, base::unix_seconds(clock.wall_now()), links};
    token.owner = contracts::owner_of("ann", "Phone");
    token.owner.entitled = device;
    if (device) entitlements.open(session, "paid", *device);
    return "/live/paid/~" + contracts::write_token(keys, token, clock.wall_now()) + "/";
  }

  /// The target of a listed segment, below the prefix.
  std::string segment(LinkUse use = LinkUse::redirect, const std::string& path = "v/s1.ts") {
    const contracts::Link link{"paid", "e1", path, "", base::unix_seconds(clock.wall_now()) + 3600, 0, use};
    return path + "?" + contracts::signed_query(keys, link, clock.wall_now());
  }

  std::string problem_of(const std::string& target) {
    const auto response = get(target);
    const auto value = base::json::parse(response->body());
    return response->status() == 403 && value ? std::string(value->text("type").value_or("")) : "";
  }
  void end_entitlement() { entitlements.apply(session, {contracts::ViewerVerdict::Kind::not_entitled}); }

  access::SessionId session = 100;
};

}  // namespace

TEST_CASE("the bare URL of a paid channel is refused, and every URL of a session without the entitlement") {
  PaidChannel s;
  CHECK(s.problem_of("/live/paid/index.m3u8") == "/problems/purchase-required");
  CHECK(s.get("/live/paid/index.m3u8", {}, http::Method::head)->status() == 403);
  for (const auto& prefix : {s.prefix_of(std::nullopt)}) {
    const auto token = prefix.substr(prefix.find('~') + 1, prefix.size() - prefix.find('~') - 2);
    CHECK(s.problem_of("/live/paid/index.m3u8?session=" + token) == "/problems/purchase-required");
    for (const auto& path : {std::string("index.m3u8"), std::string("v.m3u8"), std::string("v.m3u8?_HLS_msn=107"),
                             std::string("~via/stadium/v.m3u8"), std::string("~doc/json/x"), s.segment()})
      CHECK(s.problem_of(prefix + path) == "/problems/purchase-required");
  }
  CHECK(s.lookups.empty());
  CHECK(s.admission.sessions() == 0);
}

TEST_CASE("an owner of a paid channel gets its playlists, with redirect links whatever the token says") {
  PaidChannel s;
  const auto prefix = s.prefix_of();
  CHECK(s.get(prefix + "index.m3u8")->body() == "multivariant");
  CHECK(s.get(prefix + "v.m3u8")->body() == "media");
}

TEST_CASE("a segment of a paid channel leads to a node for a minute or two, and keeps what the player adds") {
  PaidChannel s;
  const auto prefix = s.prefix_of();
  const auto response = s.get(prefix + s.segment() + "&CMCD=bl%3D1");
  REQUIRE(response->status() == 307);
  const std::string location(response->header("Location"));
  CHECK(location.starts_with("http://s:81/media/paid/e1/v/s1.ts?tl=e1.m"));
  CHECK(location.ends_with("&CMCD=bl%3D1"));
  const auto query = location.substr(location.find('?') + 1);
  const auto verify = [&](base::WallTime now) {
    return contracts::verify_media_link(s.keys, "paid", "e1", "v/s1.ts", query, now, 0ms, 0).has_value();
  };
  CHECK(verify(s.clock.wall_now() + 59s));
  CHECK_FALSE(verify(s.clock.wall_now() + 121s));
  CHECK(s.get(prefix + s.segment() + "&CMCD=bl%3D1")->header("Location") == location);
}

TEST_CASE("a link that was listed while the channel was free leads to a momentary one, too") {
  PaidChannel s;
  const auto response = s.get(s.prefix_of() + s.segment(LinkUse::anywhere));
  REQUIRE(response->status() == 307);
  CHECK(std::string(response->header("Location")).find("tl=e1.m") != std::string::npos);
}

TEST_CASE("with the mode direct a paid channel lists links at the nodes") {
  PaidChannel s(LinksMode::direct);
  CHECK(s.get(s.prefix_of() + "v.m3u8")->body() == "media 0=http://s:81");
  CHECK(s.problem_of(s.prefix_of(std::nullopt) + "v.m3u8") == "/problems/purchase-required");
}

TEST_CASE("a session whose entitlement has ended gets playlists with an end, then nothing, and frees its place") {
  PaidChannel s;
  const auto prefix = s.prefix_of();
  CHECK(s.get(prefix + "v.m3u8")->status() == 200);
  CHECK(s.admission.sessions() == 1);
  s.end_entitlement();
  const auto ending = s.get(prefix + "v.m3u8");
  CHECK(ending->body() == "media\n#EXT-X-ENDLIST\n");
  CHECK(ending->header("Cache-Control") == "no-store");
  CHECK(s.get(prefix + s.segment())->status() == 307);
  s.clock.advance(30s);
  for (const auto& path : {std::string("index.m3u8"), std::string("v.m3u8"), std::string("~doc/json/x"), s.segment()})
    CHECK(s.problem_of(prefix + path) == "/problems/entitlement-ended");
  const auto value = base::json::parse(s.get(prefix + "v.m3u8")->body());
  REQUIRE(value);
  CHECK(value->text("reason") == "withdrawn");
  CHECK(s.ended_sessions == std::vector<access::SessionId>{s.session});
  CHECK(s.admission.sessions() == 0);
}

TEST_CASE("a channel that becomes paid refuses the sessions that were opened while it was free") {
  test::PlaylistFlowFixture s;
  s.hear("stadium");
  const auto prefix = s.open("direct");
  auto next = std::make_shared<EventView>(*s.view.get());
  auto event = std::make_shared<contracts::Event>(*next->event);
  event->channels[1].access = contracts::ChannelAccess::paid;
  next->event = event;
  s.view.publish(next);
  CHECK(s.get(prefix + "v.m3u8")->status() == 403);
}

namespace {

/// Two players, one in each network, follow the session's playlist for `time`; the status of the later one's last
/// request.
int follow_with_two(PaidChannel& s, const std::string& prefix, std::chrono::seconds time) {
  int status = 0;
  for (std::int64_t msn = 106; time > 0s; time -= 6s, ++msn) {
    s.playlists["v.m3u8"] = std::make_shared<test::FakeSnapshot>(false, msn - 6, msn);
    s.address = "10.1.0.1";
    CHECK(s.get(prefix + "v.m3u8")->status() == 200);
    s.clock.advance(2s);
    s.address = "10.2.0.1";
    status = s.get(prefix + "v.m3u8")->status();
    s.clock.advance(4s);
  }
  return status;
}

}  // namespace

TEST_CASE("of two players with one session of a paid channel the later one is refused, and the first one is not") {
  PaidChannel s;
  const auto prefix = s.prefix_of();
  CHECK(follow_with_two(s, prefix, 60s) == 200);
  CHECK(follow_with_two(s, prefix, 540s) == 403);
  s.address = "10.2.0.1";
  CHECK(s.problem_of(prefix + "v.m3u8") == "/problems/session-shared");
  CHECK(s.metric("tribune_access_concurrent_viewing_total") > 0);
}

TEST_CASE("two players with one session of a free channel are served") {
  test::PlaylistFlowFixture s;
  s.hear("stadium");
  const auto base = s.open("redirect");
  for (std::int64_t msn = 106; msn < 206; ++msn) {
    s.playlists["v.m3u8"] = std::make_shared<test::FakeSnapshot>(false, msn - 6, msn);
    for (const std::string address : {"10.1.0.1", "10.2.0.1"}) {
      s.address = address;
      CHECK(s.get(base + "v.m3u8")->status() == 200);
      s.clock.advance(3s);
    }
  }
}

TEST_CASE(
    "the steering manifest of a paid channel needs the entitlement, and looks up no session that does not watch") {
  PaidChannel s;
  auto next = std::make_shared<EventView>(*s.view.get());
  auto event = std::make_shared<contracts::Event>(*next->event);
  event->channels.back().steering = true;
  next->event = event;
  s.view.publish(next);
  const auto status_for = [&](std::optional<contracts::EntitledDevice> device) {
    contracts::Token token{"paid", 999, base::unix_seconds(s.clock.wall_now())};
    token.owner = contracts::owner_of("ann", "Phone");
    token.owner.entitled = device;
    http::Request request;
    request.query = "session=" + contracts::write_token(s.keys, token, s.clock.wall_now());
    return s.steering.answer("paid", request).status;
  };
  CHECK(s.steering.answer("paid", {}).status == 403);
  CHECK(status_for(std::nullopt) == 403);
  CHECK(status_for(kPhone) == 200);
  CHECK(s.entitlements.size() == 0);
}
