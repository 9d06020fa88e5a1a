#include "access/past_sessions.h"

#include <filesystem>
#include <string>

#include <doctest/doctest.h>

#include "access/admission_fixture.h"
#include "access/session_record.h"
#include "base/ids.h"

using namespace tribune;
using namespace tribune::test;
using access::Admission;
using access::PastSessions;
using access::SessionRecord;

TEST_CASE("an ended session is remembered until its time, plus one hour") {
  base::Metrics metrics;
  PastSessions past(metrics);
  past.add_ended(1, 10'000);
  past.add_lapsed(2, 20'000);
  past.add_lapsed(1, 30'000);  // it stays ended
  CHECK(past.is_ended(1));
  CHECK_FALSE(past.is_lapsed(1, 5'000));
  CHECK(past.is_lapsed(2, 20'000));
  CHECK_FALSE(past.is_lapsed(2, 20'001));
  CHECK_FALSE(past.is_ended(2));
  past.sweep(13'599);
  CHECK(past.size() == 2);
  past.sweep(13'600);
  CHECK(past.size() == 1);
  past.remove(2);
  CHECK(past.size() == 0);
}

TEST_CASE("at the bound the entries that expire first are removed, and counted") {
  base::Metrics metrics;
  PastSessions past(metrics, 3);
  for (access::SessionId id = 1; id <= 5; ++id) past.add_ended(id, static_cast<std::int64_t>(100 * id));
  past.add_ended(6, 50);
  CHECK(past.size() == 3);
  for (access::SessionId id = 1; id <= 6; ++id) CHECK(past.is_ended(id) == (id >= 3 && id <= 5));
  CHECK(metrics.scrape().find("tribune_access_past_sessions_dropped_total 3") != std::string::npos);
  for (int i = 0; i < 1'000; ++i) past.add_ended(5, 1'000 + i);
  CHECK(past.size() == 3);
}

TEST_CASE("past sessions survive a restart, and damaged records are dropped") {
  const auto directory = std::filesystem::temp_directory_path() / ("tribune-past-" + base::random_id(12));
  base::Log log{quiet()};
  const auto open = [&] {
    auto opened =
        store::Store::open({directory.string(), {std::string(access::kPastTable)}, 1ull << 24, 1ms, "test 1"}, log);
    REQUIRE(opened);
    return std::move(*opened);
  };
  {
    auto store = open();
    base::Metrics metrics;
    PastSessions past(metrics);
    REQUIRE(past.load(*store, 0));
    past.add_ended(0x0102030405060708, 10'000);
    past.add_lapsed(9, 20'000);
    past.add_ended(10, 20'000);
    past.remove(10);
    for (const auto* damaged : {"", "e", "e ", "e x", "x 20000", "e 99999999999999999999", "e 9999999999999", "e -1"})
      store->put(access::kPastTable, access::table_key(base::random_u64() | 1), damaged);
    store->put(access::kPastTable, "short", "e 20000");
  }
  {
    auto store = open();
    base::Metrics metrics;
    PastSessions past(metrics);
    REQUIRE(past.load(*store, 0));
    CHECK(past.size() == 2);
    CHECK(past.is_ended(0x0102030405060708));
    CHECK(past.is_lapsed(9, 20'000));
    past.sweep(100'000);
  }
  {
    auto store = open();
    std::size_t left = 0;
    REQUIRE(store->scan(access::kPastTable, [&](auto, auto) { return ++left; }));
    CHECK(left == 0);
  }
  std::filesystem::remove_all(directory);
}

TEST_CASE("a session record is read as it was written, and a damaged one is rejected") {
  const SessionRecord whole{
      "main", "arena", "a",  std::string("\0\xff ann", 6), "Ann's TV in the kitchen", 1'700'000'000, 1'700'000'010,
      10,     5'000,   ~0ull};
  const SessionRecord least{"main", "", "", "", ""};
  for (const auto& record : {whole, least}) {
    const auto text = to_text(record);
    REQUIRE(access::session_record(text));
    CHECK(*access::session_record(text) == record);
    const auto fixed = text.size() - record.device.size();
    for (std::size_t length = 0; length + 1 < fixed; ++length) {
      const auto cut = access::session_record(text.substr(0, length));
      CHECK((!cut || *cut != record));
    }
  }
  for (const auto* damaged :
       {"", "2 1 1 1 1 1 main - - - ", "1 -1 1 1 1 1 main - - - ", "1 1 1 1 1 x main - - - ", "1 1 1 1 1 1 - - - - ",
        "1 1 1 1 1 1 main - - xyz ", "1 9999999999999 1 1 1 1 main - - - "})
    CHECK_FALSE(access::session_record(damaged));
}

TEST_CASE(
    "a token is valid for its lifetime plus half a lifetime after its last use, and a token in use does not expire") {
  Gate gate;
  gate.settings.token_lifetime = 4h;
  gate.idle = 30min;
  gate.open();
  const auto now = [&] { return base::unix_seconds(gate.clock.wall_now()); };
  const auto live = [&](access::SessionId id, std::chrono::minutes time, std::int64_t opened) {
    for (; time > 0min; time -= 20min) {
      gate.clock.advance(20min);
      gate.admission->tick();
      REQUIRE(gate.admission->renew(id, {.channel = "main", .opened = opened}, gate.idle) == Admission::Renewal::known);
    }
  };
  const auto sleep = [&](std::chrono::minutes time) {
    for (; time > 0min; time -= 10min) {
      gate.clock.advance(10min);
      gate.admission->tick();
    }
  };
  const auto opened = now();
  const access::Visitor visitor{.channel = "main", .opened = opened};
  const auto shortly = gate.granted(gate.ask(visitor)), long_time = gate.granted(gate.ask(visitor));
  const access::Visitor replayed{.channel = "main", .opened = opened - 14'401};
  CHECK(gate.admission->renew(7, replayed, gate.idle) == Admission::Renewal::expired);

  live(long_time, 600min, opened);  // long after its token would have expired
  CHECK(gate.admission->renew(shortly, visitor, gate.idle) == Admission::Renewal::expired);
  sleep(140min);  // its session was released in between
  CHECK(gate.admission->renew(long_time, visitor, gate.idle) == Admission::Renewal::adopted);
  live(long_time, 40min, opened);
  sleep(180min);
  CHECK(gate.admission->renew(long_time, visitor, gate.idle) == Admission::Renewal::expired);
}

TEST_CASE("a claimed ticket is valid for as long as a token, and a waiting one for as long as it waits") {
  Gate gate(1);
  gate.settings.token_lifetime = 1h;
  gate.settings.refresh = 10min;
  gate.open();
  const auto watching = gate.granted(gate.ask());
  auto ticket = gate.ticket(gate.ask());
  ticket.issued = base::unix_seconds(gate.clock.wall_now());
  for (int i = 0; i < 300; ++i) {
    gate.clock.advance(10min);
    CHECK(gate.admission->renew(watching, {.channel = "main"}, 1h) == Admission::Renewal::known);
    gate.admission->tick();
    REQUIRE(gate.is_queued(gate.show(ticket)));
  }
  gate.admission->release(watching);
  gate.pass(200ms);
  CHECK(gate.is_granted(gate.show(ticket)));
  for (int i = 0; i < 300; ++i) {
    gate.clock.advance(9s);
    gate.admission->tick();
    REQUIRE(gate.is_granted(gate.show(ticket)));
  }
  gate.clock.advance(20min);
  gate.pass(1s);
  CHECK(gate.is_granted(gate.show(ticket)));  // its slot is still free
  gate.pass(12s);
  gate.clock.advance(40min);
  gate.pass(1s);
  CHECK(gate.refusal(gate.show(ticket)) == access::DenyReason::ticket_expired);
}

TEST_CASE("at the bound of entries in memory no session returns around a limit, and without limits all are served") {
  Gate gate;
  gate.settings.max_sessions = 100;
  gate.admission.emplace(gate.clock, gate.log, gate.metrics, gate.settings, 2);
  gate.admission->configure(gate.settings, {{"main", 5}});
  const auto first = gate.granted(gate.ask());
  gate.granted(gate.ask());
  gate.pass(12s);
  gate.granted(gate.ask());
  gate.granted(gate.ask());
  CHECK(gate.admission->renew(first, {.channel = "main"}, 10s) == Admission::Renewal::lapsed);
  CHECK(gate.admission->sessions() == 2);
  gate.settings.max_sessions = access::kNoLimit;
  gate.admission->configure(gate.settings, {{"main", 5}});
  CHECK(gate.admission->renew(first, {.channel = "main"}, 10s) == Admission::Renewal::uncounted);
  CHECK(gate.metrics.scrape().find("tribune_access_renewals_uncounted_total 1") != std::string::npos);
}
