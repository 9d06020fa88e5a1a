#include "access/concurrent_viewing.h"

#include <algorithm>
#include <array>
#include <vector>

#include <doctest/doctest.h>

#include "access/admission_fixture.h"
#include "access/playlist_audience.h"

using namespace tribune;
using namespace tribune::test;
using access::Admission;
using access::ConcurrencyRule;
using access::ConcurrentViewing;
using access::SharingRule;
using Progress = access::Admission::Progress;

namespace {

/// A viewer in each of two networks, of which the second joins 3 seconds later: two fetches for each version.
struct TwoPlayers {
  ConcurrentViewing viewing;
  ConcurrencyRule rule{};
  std::uint64_t version = 100;
  std::chrono::milliseconds now{1'000'000};

  ConcurrentViewing::Verdict fetch(std::uint32_t network) {
    return viewing.record(network, version, base::SteadyTime{} + now, rule);
  }
  /// A version is published, and the networks fetch it one after the other within 6 seconds.
  std::vector<ConcurrentViewing::Verdict> round(const std::vector<std::uint32_t>& networks) {
    std::vector<ConcurrentViewing::Verdict> verdicts;
    ++version;
    const auto began = now;
    for (const auto network : networks) {
      verdicts.push_back(fetch(network));
      now += 2s;
    }
    now = began + 6s;
    return verdicts;
  }
  /// Rounds until a fetch is found to be a second player's.
  int rounds_until_found(const std::vector<std::uint32_t>& networks, int most = 100) {
    for (int rounds = 1; rounds <= most; ++rounds)
      for (const auto& verdict : round(networks))
        if (verdict.is_found) return rounds;
    return most + 1;
  }
  bool is_refused(std::uint32_t network) { return viewing.is_refused(network, base::SteadyTime{} + now, rule); }
};

/// Whether one device on the path is taken for two players within two hours.
bool is_mistaken(Polling polling, double target, Random& random, Path path) {
  const LiveStream stream{target, target, target / 20};
  return watch({SimulatedPlayer(stream, polling, std::move(path))}, 7'200, random).found_at.has_value();
}

constexpr std::array kPollings{Polling::standard, Polling::half,     Polling::third,
                               Polling::segment,  Polling::blocking, Polling::parts};

}  // namespace

TEST_CASE("two players are found after enough versions, and the network that came later is refused") {
  TwoPlayers players;
  players.round({1});
  const auto rounds = players.rounds_until_found({1, 2});
  CHECK(rounds > ConcurrentViewing::kEnoughRounds);
  CHECK(rounds <= ConcurrentViewing::kEnoughRounds + 4);
  CHECK(players.is_refused(2));
  CHECK_FALSE(players.is_refused(1));
  for (int i = 0; i < 100; ++i) {
    const auto verdicts = players.round({1, 2});
    CHECK_FALSE(verdicts[0].is_refused);
    CHECK(verdicts[1].is_refused);
    CHECK_FALSE(verdicts[1].is_found);
  }
}

TEST_CASE("the network that came first is served also if the other one fetches each version before it") {
  TwoPlayers players;
  players.round({1});
  players.rounds_until_found({2, 1});
  CHECK(players.is_refused(2));
  CHECK_FALSE(players.is_refused(1));
}

TEST_CASE("the refusal ends when no other network was served for the time of a hand-over") {
  TwoPlayers players;
  players.rounds_until_found({1, 2});
  for (int i = 0; i < 19; ++i) CHECK(players.round({2})[0].is_refused);
  for (int i = 0; i < 3; ++i) players.round({2});
  CHECK_FALSE(players.is_refused(2));
  for (int i = 0; i < 100; ++i) CHECK_FALSE(players.round({2})[0].is_refused);
  SUBCASE("the network that returns is then the later one") {
    players.rounds_until_found({1, 2});
    CHECK(players.is_refused(1));
    CHECK_FALSE(players.is_refused(2));
  }
}

TEST_CASE("a refused network stays refused while the first viewer walks on to another network") {
  TwoPlayers players;
  players.rounds_until_found({1, 2});
  for (int i = 0; i < 100; ++i) {
    const auto verdicts = players.round({3, 2});
    CHECK_FALSE(verdicts[0].is_refused);
    CHECK(verdicts[1].is_refused);
  }
}

TEST_CASE("a third player is refused like the second, and no more networks are remembered than the bound") {
  TwoPlayers players;
  players.round({1});
  for (std::uint32_t other = 2; other < 2 + ConcurrentViewing::kMostRefused; ++other) {
    CHECK(players.rounds_until_found({1, other}) < 40);
    CHECK(players.is_refused(other));
    CHECK(players.is_refused(2));
  }
  CHECK(players.rounds_until_found({1, 99}) < 40);
  CHECK(players.is_refused(99));
  CHECK_FALSE(players.is_refused(2));
  CHECK_FALSE(players.is_refused(1));
}

TEST_CASE("three players at once are found, and only the first of them is served") {
  TwoPlayers players;
  players.round({1});
  CHECK(players.rounds_until_found({1, 2, 3}) < 40);
  CHECK_FALSE(players.is_refused(1));
  CHECK(players.is_refused(2));
  CHECK(players.is_refused(3));
}

TEST_CASE("with the rule log nobody is refused, and the session is reported at most once in a hand-over") {
  TwoPlayers players;
  players.rule.action = SharingRule::log;
  int found = 0;
  for (int i = 0; i < 300; ++i)
    for (const auto& verdict : players.round({1, 2})) {
      CHECK_FALSE(verdict.is_refused);
      found += verdict.is_found;
    }
  CHECK(found >= 9);
  CHECK(found <= 15);
  SUBCASE("a reload that changes the rule applies to the session") {
    players.rule.action = SharingRule::refuse;
    players.rounds_until_found({1, 2});
    CHECK(players.is_refused(2));
    players.rule.action = SharingRule::log;
    CHECK_FALSE(players.round({2})[0].is_refused);
  }
}

TEST_CASE("a playlist that does not grow, and one whose numbers begin again, tell nothing") {
  TwoPlayers players;
  for (int i = 0; i < 1'000; ++i) {
    CHECK_FALSE(players.fetch(1 + static_cast<std::uint32_t>(i % 2)).is_found);
    players.now += 3s;
  }
  players.rounds_until_found({1, 2});
  CHECK(players.is_refused(2));
  TwoPlayers restarted;
  restarted.version = 1'000'000;
  restarted.round({1, 2});
  restarted.version = 0;
  CHECK(restarted.rounds_until_found({1, 2}) < 60);
}

TEST_CASE("two players are found within two hand-overs, at each polling and 0 to 30 seconds behind each other") {
  Random random(11);
  int watched = 0, found = 0, in_time = 0;
  for (const double target : {2.0, 4.0, 6.0})
    for (const auto first : kPollings)
      for (const auto second : kPollings)
        for (int i = 0; i < 10; ++i) {
          const LiveStream stream{target, target, target / 20};
          const auto joins = uniform(random, 0, 60);
          SimulatedPlayer former(stream, first, fixed_path(1));
          SimulatedPlayer latter(stream, second, fixed_path(2), joins, uniform(random, 0, 30));
          former.use_mobile_network(0.03);
          latter.use_mobile_network(0.08);
          const auto result = watch({former, latter}, 900, random);
          ++watched;
          found += result.found_at.has_value();
          in_time += result.found_at && *result.found_at - joins <= 2 * kHandoverSeconds;
        }
  CHECK(found >= watched * 99 / 100);
  CHECK(in_time >= watched * 95 / 100);
}

TEST_CASE("a player that skips versions because they are shorter than the target duration is still a second player") {
  Random random(12);
  for (const double segment : {4.0, 5.0})
    for (int i = 0; i < 30; ++i) {
      const LiveStream stream{6, segment, 0.3};
      const auto joins = uniform(random, 0, 60);
      CHECK(watch({SimulatedPlayer(stream, Polling::standard, fixed_path(1)),
                   SimulatedPlayer(stream, Polling::standard, fixed_path(2), joins)},
                  900, random)
                .found_at.has_value());
    }
}

TEST_CASE("a second player that changes its network is found while the first one stays in its own") {
  Random random(13);
  int found = 0;
  for (int i = 0; i < 40; ++i) {
    const LiveStream stream{6, 6, 0.3};
    found += watch({SimulatedPlayer(stream, Polling::standard, fixed_path(1)),
                    SimulatedPlayer(stream, Polling::standard, changing_path(random, 2, 8, 30, 90), 7)},
                   1'200, random)
                 .found_at.has_value();
  }
  CHECK(found == 40);
}

TEST_CASE("one device is never taken for two players, whichever address its requests have") {
  Random random(14);
  for (const auto polling : kPollings)
    for (const double target : {2.0, 6.0}) {
      SUBCASE("a pool of a carrier's NAT with an address for each request, of 2 to 64 networks") {
        for (const std::uint32_t pool : {2U, 3U, 4U, 16U, 64U})
          CHECK_FALSE(is_mistaken(polling, target, random, path_per_request(random, 1, pool)));
      }
      SUBCASE("a pool with an address for each connection") {
        for (const std::uint32_t pool : {2U, 3U, 4U, 16U, 64U})
          CHECK_FALSE(is_mistaken(polling, target, random, path_per_connection(random, 1, pool, 3)));
      }
      SUBCASE("a pool with an address for some seconds") {
        for (const double seconds : {5.0, 10.0, 30.0})
          CHECK_FALSE(is_mistaken(polling, target, random, changing_path(random, 1, 16, seconds, seconds)));
      }
      SUBCASE("IPv4 and IPv6 in turn, at random") {
        CHECK_FALSE(is_mistaken(polling, target, random, path_per_request(random, 1, 2)));
      }
      SUBCASE("a walk that uses both networks for the time of a hand-over") {
        CHECK_FALSE(is_mistaken(polling, target, random, changing_path(random, 1, 2, 3, 20, 600, 600 + 120)));
      }
      SUBCASE("two networks that alternate every few seconds at the edge of a stadium") {
        CHECK_FALSE(is_mistaken(polling, target, random, changing_path(random, 1, 2, 2, 10)));
        CHECK_FALSE(is_mistaken(polling, target, random, changing_path(random, 1, 2, 1, 8)));
      }
    }
}

TEST_CASE("admission refuses the later network of a session that two players watch, or ends it, as configured") {
  Gate gate;
  std::uint64_t version = 100;
  const auto fetch = [&](access::SessionId id, std::uint32_t network) {
    return gate.admission->record_progress(
        id, {.channel = "main", .client = "192.0.2.1", .network = network, .version = version});
  };
  const auto watch_twice = [&](SharingRule rule) {
    gate.settings.paid_sharing_rule = rule;
    gate.open();
    const auto id = gate.granted(gate.ask());
    CHECK(gate.admission->renew(id, {.channel = "main"}, 1h) == Admission::Renewal::known);
    for (int i = 0; i < 40; ++i) {
      ++version;
      for (std::uint32_t network = 1; network <= 2; ++network) {
        if (fetch(id, network) == Progress::end) return id;
        gate.clock.advance(2s);
      }
      gate.clock.advance(2s);
    }
    return id;
  };
  const auto count = [&] {
    const auto text = gate.metrics.scrape();
    return std::stoi(text.substr(text.find("\ntribune_access_concurrent_viewing_total ") + 41));
  };
  SUBCASE("the later network is refused") {
    const auto id = watch_twice(SharingRule::refuse);
    CHECK(fetch(id, 1) == Progress::serve);
    CHECK(fetch(id, 2) == Progress::refuse);
    CHECK(count() > 5);
    // A rendition is refused as well; it is not recorded.
    CHECK(gate.admission->record_progress(id, {.channel = "main", .network = 2}) == Progress::refuse);
    CHECK(gate.admission->record_progress(id, {.channel = "main", .network = 1}) == Progress::serve);
    CHECK(fetch(id, 0) == Progress::serve);  // an unknown network
  }
  SUBCASE("the use is logged") {
    const auto id = watch_twice(SharingRule::log);
    CHECK(fetch(id, 2) == Progress::serve);
    CHECK(count() == 1);
    SUBCASE("a reload applies another rule") {
      gate.settings.paid_sharing_rule = SharingRule::end;
      gate.admission->configure(gate.settings, {{"main", 5}});
      bool is_ended = false;
      for (int i = 0; i < 40 && !is_ended; ++i) {
        ++version;
        fetch(id, 1);
        gate.clock.advance(2s);
        is_ended = fetch(id, 2) == Progress::end;
        gate.clock.advance(4s);
        if (!gate.admission->is_watching(id)) is_ended = true;
      }
      CHECK(is_ended);
    }
  }
  SUBCASE("the session is ended") {
    const auto id = watch_twice(SharingRule::end);
    CHECK_FALSE(gate.admission->is_watching(id));
    CHECK(gate.admission->renew(id, {.channel = "main"}, 1h) == Admission::Renewal::ended);
    CHECK(fetch(id, 1) == Progress::serve);  // a session that is not known
  }
}
