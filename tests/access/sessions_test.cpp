#include "access/sessions.h"

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

using namespace tribune;
using namespace std::chrono_literals;
using access::SessionId;
using access::Sessions;

namespace {

struct SessionsServer {
  base::ManualClock clock;
  base::Metrics metrics;
  Sessions sessions{clock, metrics};

  std::set<SessionId> sweep() {
    std::set<SessionId> gone;
    sessions.sweep([&](SessionId id) { gone.insert(id); });
    return gone;
  }
};

}  // namespace

TEST_CASE("an opened session counts for its channel until it is released") {
  SessionsServer h;
  const auto a = h.sessions.open("a", 10s), b = h.sessions.open("b", 10s);
  REQUIRE((a && b));
  CHECK(*a != *b);
  CHECK(h.sessions.count() == 2);
  CHECK(h.sessions.count("a") == 1);
  CHECK(h.sessions.count("c") == 0);
  CHECK(h.sessions.release(*a));
  CHECK_FALSE(h.sessions.release(*a));
  CHECK(h.sessions.count() == 1);
  CHECK(h.sessions.count("a") == 0);
}

TEST_CASE("a session that is not renewed is released within one second after its idle time") {
  SessionsServer h;
  const auto id = h.sessions.open("a", 10s);
  REQUIRE(id);
  h.clock.advance(9s);
  CHECK(h.sweep().empty());
  h.clock.advance(2s);
  CHECK(h.sweep() == std::set<SessionId>{*id});
  CHECK(h.sessions.count() == 0);
  CHECK(h.sweep().empty());
}

TEST_CASE("a renewed session lasts, however long it is watched") {
  SessionsServer h;
  const auto id = h.sessions.open("a", 10s);
  REQUIRE(id);
  for (int i = 0; i < 100; ++i) {
    h.clock.advance(4s);
    CHECK(h.sessions.renew(*id, "a", 10s) == Sessions::Renewal::known);
    CHECK(h.sweep().empty());
  }
  h.clock.advance(12s);
  CHECK(h.sweep() == std::set<SessionId>{*id});
}

TEST_CASE("a session whose idle time is shortened is released after that time once, unless it is renewed") {
  SessionsServer h;
  const auto leaves = h.sessions.open("a", 30s), is_back = h.sessions.open("a", 30s), is_old = h.sessions.open("a", 3s);
  REQUIRE((leaves && is_back && is_old));
  for (const auto id : {*leaves, *is_back, *is_old}) CHECK(h.sessions.shorten(id, 5s));
  CHECK(h.sessions.extend(*is_back, 30s));
  h.clock.advance(4s);
  CHECK(h.sweep() == std::set{*is_old});  // its idle time is never lengthened
  h.clock.advance(2s);
  CHECK(h.sweep() == std::set{*leaves});
  h.clock.advance(26s);
  CHECK(h.sweep() == std::set{*is_back});
  CHECK(h.sessions.count() == 0);
  CHECK_FALSE(h.sessions.shorten(*leaves, 5s));
}

TEST_CASE("a session of a former process is adopted") {
  SessionsServer h;
  CHECK(h.sessions.renew(42, "a", 10s) == Sessions::Renewal::adopted);
  CHECK(h.sessions.count("a") == 1);
  CHECK(h.sessions.renew(42, "a", 10s) == Sessions::Renewal::known);
  CHECK(h.sessions.count("a") == 1);
}

TEST_CASE("a session that was released and adopted again is released exactly once more") {
  SessionsServer h;
  const auto id = h.sessions.open("a", 10s);
  REQUIRE(id);
  h.sessions.release(*id);
  h.clock.advance(5s);
  h.sessions.renew(*id, "a", 10s);
  h.clock.advance(7s);
  CHECK(h.sweep().empty());
  h.clock.advance(5s);
  CHECK(h.sweep() == std::set<SessionId>{*id});
  CHECK(h.sessions.count() == 0);
}

TEST_CASE("a step of the wall clock releases no session") {
  SessionsServer h;
  REQUIRE(h.sessions.open("a", 10s));
  h.clock.step_wall(1h);
  CHECK(h.sweep().empty());
  h.clock.step_wall(-2h);
  CHECK(h.sweep().empty());
}

TEST_CASE("at the bound no session is opened, and active sessions are renewed") {
  base::ManualClock clock;
  base::Metrics metrics;
  Sessions sessions(clock, metrics, 2);
  const auto a = sessions.open("a", 10s);
  REQUIRE(a);
  REQUIRE(sessions.open("a", 10s));
  CHECK_FALSE(sessions.open("a", 10s));
  CHECK(sessions.renew(42, "a", 10s) == Sessions::Renewal::uncounted);
  CHECK(sessions.count() == 2);
  CHECK(sessions.renew(*a, "a", 10s) == Sessions::Renewal::known);
  sessions.release(*a);
  CHECK(sessions.open("a", 10s));
}

TEST_CASE("concurrent threads never exceed the bound of sessions, and the count returns to zero") {
  base::ManualClock clock;
  base::Metrics metrics;
  Sessions sessions(clock, metrics, 500);
  std::atomic<std::size_t> most{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      std::vector<SessionId> mine;
      for (int i = 0; i < 2'000; ++i) {
        if (const auto id = sessions.open("a", 1s)) mine.push_back(*id);
        if (i % 3 == 0 && !mine.empty()) {
          sessions.release(mine.back());
          mine.pop_back();
        }
        if (!mine.empty()) sessions.renew(mine.front(), "a", 1s);
        if (i % 500 == 0) {
          clock.advance(100ms);
          sessions.sweep();
        }
        const auto now = sessions.count();
        auto before = most.load();
        while (now > before && !most.compare_exchange_weak(before, now)) {
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(most.load() <= 500);
  clock.advance(10s);
  sessions.sweep();
  CHECK(sessions.count() == 0);
  CHECK(sessions.count("a") == 0);
}

TEST_CASE("the gauge and the counters follow the sessions") {
  SessionsServer h;
  const auto id = h.sessions.open("a", 10s);
  REQUIRE(id);
  h.sessions.renew(7, "a", 10s);
  h.sessions.release(*id);
  const auto text = h.metrics.scrape();
  CHECK(text.find("tribune_access_sessions{channel=\"a\"} 1") != std::string::npos);
  CHECK(text.find("tribune_access_sessions_opened_total 1") != std::string::npos);
  CHECK(text.find("tribune_access_sessions_adopted_total 1") != std::string::npos);
  CHECK(text.find("tribune_access_sessions_released_total 1") != std::string::npos);
}
