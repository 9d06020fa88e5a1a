// Invariants over random interleavings that need more than one queue: limits of nodes while viewers move, kills at any
// time, and the estimated waiting time compared with the actual one.

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "access/admission_fixture.h"
#include "base/ids.h"
#include "store/store.h"

using namespace tribune;
using namespace tribune::test;
using access::NodeRef;
using access::SessionId;
using access::TicketClaim;

namespace {

const std::vector<NodeRef> kPlaces{{"arena", "a"}, {"arena", "b"}, {"city", "c"}};

/// Three nodes: "a" for two viewers, "b" for three, four in the group of both; "c" for three.
struct Nodes {
  explicit Nodes(unsigned seed) : random(seed), gate(100) {
    gate.idle = 1h;
    REQUIRE(gate.admission->change_limits(
        R"({"nodes":{"a":{"max_sessions":2},"b":{"max_sessions":3},"c":{"max_sessions":3}},"groups":{"arena":{"max_sessions":4}}})"));
  }

  std::size_t at(std::string_view node) const {
    return static_cast<std::size_t>(
        std::count_if(watching.begin(), watching.end(), [&](const auto& entry) { return entry.second == node; }));
  }
  bool is_exceeded() const { return at("a") > 2 || at("b") > 3 || at("c") > 3 || at("a") + at("b") > 4; }

  access::Visitor visitor() {
    const auto first = random() % kPlaces.size();
    access::Visitor made{.channel = "main", .group = kPlaces[first].group, .node = kPlaces[first].node};
    if (random() % 2) made.others = kPlaces;
    return made;
  }

  void take(const access::Decision& decision, SessionId of_ticket = 0) {
    if (const auto* granted = std::get_if<access::Granted>(&decision)) watching[granted->session] = granted->node;
    if (const auto* queued = std::get_if<access::Queued>(&decision); queued && of_ticket == 0)
      waiting.push_back(queued->ticket);
  }

  void poll() {
    if (waiting.empty()) return;
    const auto at = random() % waiting.size();
    const auto ticket = waiting[at];
    const auto decision = gate.admission->decide(visitor(), &ticket, gate.idle);
    if (gate.is_queued(decision)) return;
    take(decision, ticket.session);
    waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(at));
  }

  void move() {
    if (watching.empty()) return;
    auto one = std::next(watching.begin(), static_cast<std::ptrdiff_t>(random() % watching.size()));
    const auto to = kPlaces[random() % kPlaces.size()];
    if (gate.admission->move(one->first, to, false)) one->second = to.node;
  }

  void leave() {
    if (watching.empty()) return;
    const auto one = std::next(watching.begin(), static_cast<std::ptrdiff_t>(random() % watching.size()));
    CHECK(gate.admission->release(one->first));
    watching.erase(one);
  }

  void step() {
    switch (random() % 8) {
      case 0:
      case 1: take(gate.ask(visitor())); break;
      case 2:
      case 3: poll(); break;
      case 4: move(); break;
      case 5: leave(); break;
      default: gate.pass(100ms * (random() % 20));
    }
  }

  std::minstd_rand random;
  Gate gate;
  std::map<SessionId, std::string> watching;
  std::vector<TicketClaim> waiting;
};

}  // namespace

TEST_CASE("no node and no group exceeds its limit, and no slot leaks, however viewers arrive, wait, move and leave") {
  std::size_t let_in_later = 0;
  for (unsigned seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed);
    Nodes nodes(seed);
    for (int i = 0; i < 600; ++i) {
      const auto waited = nodes.waiting.size();
      nodes.step();
      REQUIRE_FALSE(nodes.is_exceeded());
      let_in_later += nodes.waiting.size() < waited;
    }
    for (const auto& [id, node] : nodes.watching) nodes.gate.admission->release(id);
    nodes.watching.clear();
    nodes.gate.pass(300s);  // includes tickets that were called and not claimed
    std::map<std::string, int> let_in;
    for (const auto& place : kPlaces)
      for (int i = 0; i < 5; ++i)
        let_in[std::string(place.node)] +=
            nodes.gate.is_granted(nodes.gate.ask({.channel = "main", .group = place.group, .node = place.node}));
    CHECK(let_in["a"] == 2);
    CHECK(let_in["b"] == 2);
    CHECK(let_in["c"] == 3);
  }
  CHECK(let_in_later > 300);
}

namespace {

/// Viewers whose Admission is killed from time to time. They continue with their session or ticket.
struct KilledCrowd {
  explicit KilledCrowd(unsigned seed)
      : random(seed), directory(std::filesystem::temp_directory_path() / ("tribune-crowd-" + base::random_id(12))) {
    begin();
  }
  ~KilledCrowd() {
    end();
    std::filesystem::remove_all(directory);
  }

  void begin() {
    gate = std::make_unique<Gate>();
    gate->clock.advance(24h * ++runs);
    gate->settings.max_sessions = kLimit;
    gate->settings.reservation = 5s;
    auto opened = store::Store::open(
        {directory.string(), {access::kAccessTables.begin(), access::kAccessTables.end()}, 1ull << 26, 1ms, "test 1"},
        gate->log);
    REQUIRE(opened);
    store = std::move(*opened);
    gate->open({{"main", 5}}, store.get());
    REQUIRE(store->flush());
  }
  void end() {
    store.reset();
    gate.reset();
  }
  void kill() {
    end();
    begin();
  }

  void arrive() {
    const auto decision = gate->ask();
    if (gate->is_granted(decision))
      watching.push_back(gate->granted(decision));
    else if (gate->is_queued(decision))
      waiting.push_back(gate->ticket(decision));
  }

  /// Five seconds in which all viewers poll as they are asked to, the last ones first.
  void ask_all() {
    for (const auto id : watching) {
      const auto renewal = gate->admission->renew(id, {.channel = "main"}, gate->idle);
      ended += renewal != access::Admission::Renewal::known && renewal != access::Admission::Renewal::adopted;
    }
    std::vector<std::uint64_t> let_in, left;
    for (std::size_t at = waiting.size(); at-- > 0;) {
      const auto decision = gate->show(waiting[at]);
      if (gate->is_queued(decision)) {
        left.push_back(waiting[at].number);
        continue;
      }
      lost += !gate->is_granted(decision);
      if (gate->is_granted(decision)) {
        watching.push_back(waiting[at].session);
        let_in.push_back(waiting[at].number);
      }
      waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(at));
    }
    if (!let_in.empty() && !left.empty())
      overtaken += *std::max_element(let_in.begin(), let_in.end()) > *std::min_element(left.begin(), left.end());
    REQUIRE(store->flush());
    gate->pass(5s);
    REQUIRE(store->flush());
    exceeded += gate->admission->sessions() > kLimit;
  }

  void leave() {
    if (watching.empty()) return;
    const auto at = random() % watching.size();
    gate->admission->release(watching[at]);
    watching.erase(watching.begin() + static_cast<std::ptrdiff_t>(at));
  }

  static constexpr std::int64_t kLimit = 5;
  std::minstd_rand random;
  std::filesystem::path directory;
  int runs = 0;
  std::unique_ptr<Gate> gate;
  std::unique_ptr<store::Store> store;
  std::vector<SessionId> watching;
  std::vector<TicketClaim> waiting;
  std::size_t ended = 0, lost = 0, overtaken = 0, exceeded = 0;
};

}  // namespace

TEST_CASE("kills at any time end no session, lose no place, reorder no tickets, exceed no limit, and leak no slot") {
  for (unsigned seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    KilledCrowd crowd(seed);
    for (int i = 0; i < 60; ++i) {
      for (auto n = crowd.random() % 3; n-- > 0;) crowd.arrive();
      if (crowd.random() % 2) crowd.leave();
      if (crowd.random() % 8 == 0) crowd.kill();
      if (crowd.random() % 6 == 0) crowd.gate->clock.step_wall(crowd.random() % 2 ? 1h : -1h);
      crowd.ask_all();
    }
    CHECK(crowd.ended == 0);
    CHECK(crowd.lost == 0);
    CHECK(crowd.overtaken == 0);
    CHECK(crowd.exceeded == 0);
    CHECK(crowd.runs > 1);
    crowd.watching.clear();
    crowd.waiting.clear();
    crowd.gate->pass(300s);
    int let_in = 0;
    for (int i = 0; i < 20; ++i) let_in += crowd.gate->is_granted(crowd.gate->ask());
    CHECK(let_in == KilledCrowd::kLimit);
  }
}

TEST_CASE("while the outflow is steady the estimated waiting time is within a fifth of the actual one") {
  for (unsigned seed = 1; seed <= 4; ++seed) {
    CAPTURE(seed);
    std::minstd_rand random(seed);
    Gate gate(100);
    gate.idle = 1h;
    struct Watching {
      SessionId session;
      base::SteadyTime until;
    };
    struct Waiting {
      TicketClaim ticket;
      std::optional<base::SteadyTime> told_at;
      std::chrono::seconds told{0};
      base::SteadyTime asks;
    };
    std::vector<Watching> watching;
    std::vector<Waiting> waiting;
    const auto stay = [&] { return std::chrono::milliseconds{15'000 + random() % 30'000}; };
    const auto now = [&] { return gate.clock.steady_now(); };
    for (int i = 0; i < 1'000; ++i) {
      const auto decision = gate.ask();
      if (gate.is_granted(decision))
        watching.push_back({gate.granted(decision), now() + stay()});
      else
        waiting.push_back(
            {gate.ticket(decision), std::nullopt, {}, now() + std::chrono::milliseconds{random() % 10'000}});
    }
    std::vector<double> errors;
    for (int tick = 0; tick < 6'000 && !waiting.empty(); ++tick) {
      gate.pass(100ms);
      std::erase_if(watching,
                    [&](const Watching& one) { return one.until <= now() && gate.admission->release(one.session); });
      for (auto one = waiting.begin(); one != waiting.end();) {
        const bool asks = one->asks <= now();
        if (asks) one->asks = now() + 2s;
        const auto decision = asks ? gate.show(one->ticket) : access::Decision{access::Queued{}};
        if (gate.is_granted(decision)) {
          const std::chrono::duration<double> took = now() - one->told_at.value_or(now());
          if (one->told_at && took > 60s) errors.push_back(static_cast<double>(one->told.count()) / took.count());
          watching.push_back({one->ticket.session, now() + stay()});
          one = waiting.erase(one);
          continue;
        }
        const auto eta = asks ? gate.queued(decision).eta : std::nullopt;
        // The first sessions end in a wave; after a minute the estimate reflects the usual outflow.
        if (eta && !one->told_at && tick > 600) one->told_at = now(), one->told = *eta;
        ++one;
      }
    }
    CHECK(waiting.empty());
    REQUIRE(errors.size() > 200);
    std::sort(errors.begin(), errors.end());
    CHECK(errors[errors.size() / 20] > 0.8);
    CHECK(errors[errors.size() - errors.size() / 20] < 1.2);
  }
}
