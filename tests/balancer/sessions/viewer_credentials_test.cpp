#include "balancer/sessions/viewer_credentials.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "balancer/playlist_flow_fixture.h"
#include "base/ip_address.h"

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;

namespace {

/// A fixture whose first key ends, and whose second one stays.
struct Rotation : test::PlaylistFlowFixture {
  Rotation() { use(kFirstAndSecond); }

  void use(int which) {
    std::vector<base::SigningKey> ring;
    if (which & 1) ring.push_back({"k1", "a secret of 32 bytes for testing", test::kNow + 1min});
    ring.push_back({"k2", "another secret, just as long ....", std::nullopt});
    auto made = std::make_shared<EventView>(*view.get());
    made->keys = std::make_shared<base::KeyRing>(std::move(ring));
    view.publish(std::move(made));
  }

  static constexpr int kFirstAndSecond = 3, kSecond = 2;
};

}  // namespace

TEST_CASE_FIXTURE(Rotation, "an active session outlives the key of its token, and a lapsed one is not restored by it") {
  const auto watches = open("demo"), lapses = open("demo");
  REQUIRE(watches.find("~k1.") != std::string::npos);
  for (int i = 0; i < 20; ++i) {
    clock.advance(5s);
    admission.tick();
    CHECK(get(watches + "v.m3u8")->status() == 200);
  }
  CHECK(get(watches + "index.m3u8")->status() == 200);
  const auto refused = get(lapses + "v.m3u8");
  CHECK(refused->status() == 403);
  CHECK(refused->note.reason == "session_invalid");
  CHECK(open("demo").find("~k2.") != std::string::npos);
  use(kSecond);  // nothing can be verified by a key that does not exist
  CHECK(get(watches + "v.m3u8")->status() == 403);
}

TEST_CASE_FIXTURE(Rotation,
                  "a step of the wall clock ends no active session, and tokens are checked against the present clock") {
  const auto before = open("demo");
  clock.step_wall(-1h);
  CHECK(get(before + "v.m3u8")->status() == 200);
  CHECK(get(before + "index.m3u8")->status() == 200);
  const auto after = open("demo");
  const auto text = std::string(after.substr(after.find('~') + 1));
  const auto token =
      contracts::read_token(*view.get()->keys, "demo", text.substr(0, text.find('/')), clock.wall_now(), 0s);
  REQUIRE(token);
  CHECK(token->opened == base::unix_seconds(clock.wall_now()));
  clock.step_wall(2h);
  CHECK(get(before + "v.m3u8")->status() == 200);
  CHECK(get(after + "v.m3u8")->status() == 200);
}

TEST_CASE_FIXTURE(Rotation, "after a step forward the new tokens of another balancer are valid") {
  clock.step_wall(10min);
  contracts::Token token{.channel = "demo",
                         .session = 77,
                         .opened = base::unix_seconds(clock.wall_now()),
                         .links = contracts::LinksMode::redirect};
  const auto text = contracts::write_token(*view.get()->keys, token, clock.wall_now());
  CHECK(get("/live/demo/~" + text + "/v.m3u8")->status() == 200);
}

TEST_CASE_FIXTURE(Rotation, "a waiting ticket, and a ticket with an active session, outlive their key") {
  REQUIRE(admission.change_limits(R"({"max_sessions":0})"));
  const access::Visitor visitor{.channel = "demo"};
  const auto decision = admission.decide(visitor, nullptr, 10s);
  const auto claim = std::get<access::Queued>(decision).ticket;
  const auto write = [&](const access::TicketClaim& of) {
    return contracts::write_ticket(*view.get()->keys,
                                   ticket_for("demo", of, contracts::LinksMode::redirect, test::kNow, {}), test::kNow);
  };
  const auto text = write(claim);
  auto other = claim;
  ++other.number;
  const auto never_given = write(other);
  clock.advance(2min);
  const auto read = [&](const std::string& shown) {
    return read_ticket(*view.get()->keys, admission, "demo", shown, clock.wall_now(), 30s).has_value();
  };
  CHECK_FALSE(contracts::read_ticket(*view.get()->keys, "demo", text, clock.wall_now(), 30s));
  CHECK(read(text));
  CHECK_FALSE(read(never_given));
  REQUIRE(admission.change_limits(R"({"max_sessions":5})"));
  admission.decide(visitor, &claim, 10s);
  admission.tick();
  CHECK(std::holds_alternative<access::Granted>(admission.decide(visitor, &claim, 10s)));
  CHECK(read(text));
  CHECK(admission.release(claim.session));
  CHECK_FALSE(read(text));
}

TEST_CASE("a client is counted by its address, or its /64 for IPv6, unless its network is shared") {
  const auto shared = base::PrefixList::parse({"203.0.113.0/24", "2001:db8:5::/48"});
  REQUIRE(shared);
  const auto counted = [&](std::string_view address) { return counted_client(address, *shared); };
  CHECK(counted("192.0.2.1").address == "192.0.2.1");
  CHECK(counted("::ffff:192.0.2.1").address == "192.0.2.1");
  CHECK(counted("2001:db8:1:2:3::4").address == "2001:db8:1:2::");
  CHECK(counted("203.0.113.9").address.empty());
  CHECK(counted("2001:db8:5:6::7").address.empty());
  CHECK(counted("203.0.113.9").network == counted("203.0.113.200").network);
  CHECK(counted("192.0.2.1").network == counted("::ffff:192.0.2.99").network);
  CHECK(counted("192.0.2.1").network != counted("192.0.3.1").network);
  CHECK(counted("2001:db8:1:2:3::4").network == counted("2001:db8:1:ffff::1").network);
  CHECK(counted("2001:db8:1::").network != counted("2001:db8:2::").network);
  CHECK(counted("no address").network == 0);
  CHECK(counted("no address").address == "no address");
}
