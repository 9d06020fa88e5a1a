#include "balancer/entitlements/session_entitlements.h"

#include <doctest/doctest.h>

#include "contracts/keys.h"
#include "support/silent_log.h"

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;
using contracts::EntitledDevice;
using contracts::ViewerVerdict;
using Standing = SessionEntitlements::Standing;

namespace {

struct EntitledSessions {
  base::ManualClock clock{test::kNow};
  base::Log log{test::silent()};
  base::Metrics metrics;
  SessionEntitlements sessions{clock, log, metrics};

  std::int64_t in(std::chrono::seconds time) const { return base::unix_seconds(clock.wall_now() + time); }
  void open(access::SessionId session, std::int64_t until = 0) { sessions.open(session, "main", {1, 2, until}); }
  SessionEntitlements::Status check(access::SessionId session, std::int64_t until = 0) {
    return sessions.check(session, "main", {1, 2, until});
  }
  /// How many checks are due within one period, with a call for each second.
  std::size_t due_in_a_period() {
    std::size_t count = 0;
    for (int i = 0; i < 10; ++i) {
      clock.advance(1s);
      count += sessions.due().size();
    }
    return count;
  }
};

constexpr ViewerVerdict kNotEntitled{ViewerVerdict::Kind::not_entitled}, kLoggedOut{ViewerVerdict::Kind::logged_out};

}  // namespace

TEST_CASE("a session whose entitlement has no end is entitled, and is due once in each period while it watches") {
  EntitledSessions s;
  for (access::SessionId session = 0; session < 100; ++session) s.sessions.open(session, "main", {1, 2, 0});
  CHECK(s.sessions.urgent().empty());
  s.due_in_a_period();  // those that were looked at soon after their begin come in the next one
  for (int period = 0; period < 3; ++period) {
    for (access::SessionId session = 0; session < 100; ++session)
      CHECK(s.check(session).standing == Standing::entitled);
    const auto due = s.due_in_a_period();
    CHECK(due >= 100);
    CHECK(due <= 120);  // 64 shards are not a multiple of the period
  }
  s.clock.advance(3min);
  CHECK(s.due_in_a_period() == 0);
  s.check(7);
  REQUIRE(s.sessions.urgent().size() == 1);
}

TEST_CASE("a session that this process does not know is entitled by its token, and is due at once") {
  EntitledSessions s;
  CHECK(s.check(7).standing == Standing::entitled);
  const auto due = s.sessions.urgent();
  REQUIRE(due.size() == 1);
  CHECK(due[0].session == 7);
  CHECK(due[0].viewer == contracts::CheckedViewer{1, 2, "main"});
  CHECK(s.sessions.urgent().empty());
  SUBCASE("and ends at once when the api says that it may not watch") {
    s.sessions.apply(7, kNotEntitled);
    const auto ended = s.check(7);
    CHECK(ended.standing == Standing::ended);
    CHECK(ended.has_just_ended);
  }
  SUBCASE("and ends as any other once the api has said that it may watch") {
    s.sessions.apply(7, {ViewerVerdict::Kind::entitled, 0});
    s.sessions.apply(7, kNotEntitled);
    CHECK(s.check(7).standing == Standing::ending);
  }
}

TEST_CASE("a session that was refunded ends: first its playlists, then all its requests, with the reason") {
  EntitledSessions s;
  s.open(7);
  s.sessions.apply(7, kNotEntitled);
  CHECK(s.check(7).standing == Standing::ending);
  s.clock.advance(29s);
  CHECK(s.check(7).standing == Standing::ending);
  s.clock.advance(1s);
  const auto ended = s.check(7);
  CHECK(ended.standing == Standing::ended);
  CHECK(ended.why == EntitlementEnd::withdrawn);
  CHECK(ended.has_just_ended);
  CHECK_FALSE(s.check(7).has_just_ended);
  SUBCASE("and its token opens it no more, nor does a verdict that comes late") {
    s.sessions.release(7);
    s.sessions.apply(7, {ViewerVerdict::Kind::entitled, 0});
    CHECK(s.check(7).standing == Standing::ended);
  }
}

TEST_CASE("a session whose device was logged out ends with that reason") {
  EntitledSessions s;
  s.open(7, s.in(1h));
  s.sessions.apply(7, kLoggedOut);
  s.check(7);
  s.clock.advance(30s);
  CHECK(s.check(7).why == EntitlementEnd::logged_out);
}

TEST_CASE("what the api has refused holds for the viewer's other sessions of the channel, until it is bought again") {
  EntitledSessions s;
  s.open(7);
  s.sessions.apply(7, kNotEntitled);
  CHECK(s.check(8).standing == Standing::ended);
  CHECK(s.sessions.check(9, "other", {1, 2, 0}).standing == Standing::entitled);
  CHECK(s.sessions.check(10, "main", {1, 3, 0}).standing == Standing::entitled);
  s.open(11);
  CHECK(s.check(11).standing == Standing::entitled);
  CHECK(s.check(12).standing == Standing::entitled);
  CHECK(s.check(8).standing == Standing::ended);
}

TEST_CASE("a session that is released and comes back is not given the time of an expired one again") {
  EntitledSessions s;
  const auto until = s.in(5s);
  s.open(7, until);
  s.clock.advance(6s);
  CHECK(s.check(7, until).standing == Standing::entitled);
  s.clock.advance(15s);
  s.sessions.release(7);
  CHECK(s.check(7, until).standing == Standing::entitled);
  s.clock.advance(5s);
  CHECK(s.check(7, until).standing == Standing::ending);
}

TEST_CASE("a session whose time is over is due at once, and ends when it was not renewed") {
  EntitledSessions s;
  s.sessions.open(7, "main", {1, 2, s.in(60s)});
  s.clock.advance(59s);
  CHECK(s.check(7).standing == Standing::entitled);
  s.due_in_a_period();
  CHECK(s.check(7).standing == Standing::entitled);
  CHECK(s.sessions.urgent().size() == 1);
  SUBCASE("by the word of the api") {
    s.sessions.apply(7, kNotEntitled);
    CHECK(s.check(7).standing == Standing::ending);
    CHECK(s.check(7).why == EntitlementEnd::expired);
  }
  SUBCASE("or after a while, when the api does not answer") {
    s.clock.advance(19s);
    CHECK(s.check(7).standing == Standing::entitled);
    s.clock.advance(1s);
    CHECK(s.check(7).standing == Standing::ending);
    CHECK(s.check(7).why == EntitlementEnd::expired);
  }
  SUBCASE("a renewal interrupts nothing") {
    s.sessions.apply(7, {ViewerVerdict::Kind::entitled, s.in(3600s)});
    s.clock.advance(60s);
    CHECK(s.check(7).standing == Standing::entitled);
  }
  SUBCASE("a renewal that comes while it ends lets it go on") {
    s.sessions.apply(7, kNotEntitled);
    s.sessions.apply(7, {ViewerVerdict::Kind::entitled, 0});
    s.clock.advance(60s);
    CHECK(s.check(7).standing == Standing::entitled);
  }
}

TEST_CASE("a session that was released is forgotten, as is one that makes no request for an hour") {
  EntitledSessions s;
  s.check(7);
  s.check(8);
  s.sessions.release(7);
  CHECK(s.sessions.size() == 1);
  s.clock.advance(61min);
  s.due_in_a_period();
  CHECK(s.sessions.size() == 0);
}

TEST_CASE("the times are those of the settings") {
  EntitledSessions s;
  PaidChannelSettings settings;
  settings.ending_time = 2s;
  s.sessions.configure(settings);
  s.open(7);
  s.sessions.apply(7, kNotEntitled);
  s.check(7);
  s.clock.advance(2s);
  CHECK(s.check(7).standing == Standing::ended);
}
