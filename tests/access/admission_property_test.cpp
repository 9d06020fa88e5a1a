// Invariants over random interleavings: no limit is exceeded, the queue is first come, first served, no holder loses a
// place within the lease, no slot leaks, and lanes get their shares.

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "access/admission_fixture.h"

using namespace tribune;
using namespace tribune::test;
using access::Admission;
using access::SessionId;
using access::TicketClaim;

TEST_CASE("5,000 concurrent arrivals from many threads never open more than 1,000 sessions") {
  Gate gate(1'000);
  std::atomic<std::size_t> let_in{0}, most{0}, waiting{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 625; ++i) {
        const auto decision = gate.admission->decide({.channel = "main"}, nullptr, gate.idle);
        (Gate::is_granted(decision) ? let_in : waiting) += 1;
        const auto now = gate.admission->sessions();
        auto before = most.load();
        while (now > before && !most.compare_exchange_weak(before, now)) {
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(let_in == 1'000);
  CHECK(waiting == 4'000);
  CHECK(most <= 1'000);
}

TEST_CASE(
    "threads that concurrently arrive, claim, renew and leave never exceed a limit, and every slot is freed again") {
  Gate gate(50);
  std::atomic<bool> is_exceeded{false};
  std::atomic<std::size_t> claims{0};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      std::minstd_rand random(t + 1);
      std::vector<TicketClaim> tickets;
      std::vector<SessionId> sessions;
      for (int i = 0; i < 4'000; ++i) {
        const auto what = random() % 10;
        if (what < 4) {
          const auto decision = gate.admission->decide({.channel = "main"}, nullptr, gate.idle);
          if (const auto* granted = std::get_if<access::Granted>(&decision)) sessions.push_back(granted->session);
          if (const auto* queued = std::get_if<access::Queued>(&decision)) tickets.push_back(queued->ticket);
        } else if (what < 7) {
          if (tickets.empty()) continue;
          const auto at = random() % std::min<std::size_t>(tickets.size(), 2);
          const auto decision = gate.admission->decide({.channel = "main"}, &tickets[at], gate.idle);
          if (Gate::is_queued(decision)) continue;
          if (Gate::is_granted(decision)) sessions.push_back(tickets[at].session), ++claims;
          tickets.erase(tickets.begin() + static_cast<std::ptrdiff_t>(at));
        } else if (what < 9 && !sessions.empty()) {
          gate.admission->release(sessions.back());
          sessions.pop_back();
        } else if (random() % 2 && !sessions.empty()) {
          gate.admission->renew(sessions.front(), {.channel = "main"}, gate.idle);
        } else {
          gate.clock.advance(100ms);
          gate.admission->tick();
        }
        if (gate.admission->sessions() > 50) is_exceeded = true;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK_FALSE(is_exceeded);
  CHECK(claims > 0);
  gate.pass(120s);
  CHECK(gate.admission->sessions() == 0);
  for (int i = 0; i < 50; ++i) CHECK(gate.is_granted(gate.ask()));
  CHECK(gate.is_queued(gate.ask()));
}

namespace {

/// Viewers that behave at random, and a record of the state of each.
struct Crowd {
  explicit Crowd(unsigned seed) : random(seed) {
    gate.settings.max_sessions = limit;
    gate.open();
  }

  struct Waiting {
    TicketClaim ticket;
    base::SteadyTime heard;
    bool is_faithful;  // polls as it is asked to
  };

  void arrive() {
    const auto decision = gate.ask();
    if (const auto* queued = std::get_if<access::Queued>(&decision)) {
      waiting.push_back({queued->ticket, gate.clock.steady_now(), random() % 3 != 0});
    } else {
      watching.push_back(gate.granted(decision));
    }
  }

  void poll(std::size_t at) {
    auto& one = waiting[at];
    const auto decision = gate.show(one.ticket);
    one.heard = gate.clock.steady_now();
    if (gate.is_queued(decision)) return;
    if (gate.is_granted(decision)) {
      watching.push_back(one.ticket.session);
      ++claims;
    } else if (one.is_faithful) {
      ++lost_places;
    }
    waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(at));
  }

  /// One second passes; the faithful viewers poll every ten seconds.
  void second() {
    gate.pass(1s);
    for (std::size_t i = waiting.size(); i-- > 0;)
      if (waiting[i].is_faithful && gate.clock.steady_now() - waiting[i].heard >= 10s) poll(i);
    for (const auto id : watching) gate.admission->renew(id, {.channel = "main"}, gate.idle);
  }

  void leave() {
    if (watching.empty()) return;
    const auto at = random() % watching.size();
    gate.admission->release(watching[at]);
    watching.erase(watching.begin() + static_cast<std::ptrdiff_t>(at));
  }

  void change_limit() {
    limit = 5 + static_cast<std::int64_t>(random() % 20);
    REQUIRE(gate.admission->change_limits("{\"max_sessions\":" + std::to_string(limit) + "}"));
  }

  void step() {
    const auto before = gate.admission->sessions();
    switch (random() % 12) {
      case 0:
      case 1:
      case 2:
      case 3: arrive(); break;
      case 4:
      case 5: leave(); break;
      case 6:
        if (!waiting.empty()) poll(random() % waiting.size());
        break;
      case 7: gate.clock.step_wall(random() % 2 ? 1h : -1h); break;
      case 8: gate.admission->set_drill("", {.is_closed = random() % 3 == 0}); break;
      case 9:
        if (random() % 8 == 0) change_limit();
        break;
      default: second();
    }
    const auto now = gate.admission->sessions();
    if (now > before && now > static_cast<std::size_t>(limit))
      ++exceeded;  // a lowered limit ends no session, and admits no viewer
  }

  Gate gate;
  std::minstd_rand random;
  std::int64_t limit = 10;
  std::vector<Waiting> waiting;
  std::vector<SessionId> watching;
  std::size_t claims = 0, lost_places = 0, exceeded = 0;
};

}  // namespace

TEST_CASE("with randomly behaving viewers no limit is exceeded, no polling ticket loses its place, and no slot leaks") {
  std::size_t claims = 0;
  for (unsigned seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    Crowd crowd(seed);
    for (int i = 0; i < 400; ++i) crowd.step();
    CHECK(crowd.exceeded == 0);
    CHECK(crowd.lost_places == 0);
    claims += crowd.claims;
    // All viewers leave: after the leases and the idle time there are exactly as many free slots as the limit allows.
    crowd.gate.admission->set_drill("", {});
    crowd.gate.pass(300s);
    CHECK(crowd.gate.admission->sessions() == 0);
    std::int64_t let_in = 0;
    for (int i = 0; i < 60; ++i) let_in += crowd.gate.is_granted(crowd.gate.ask());
    CHECK(let_in == crowd.limit);
  }
  CHECK(claims > 500);
}

TEST_CASE("tickets are called in the order in which they were issued, whatever happens between") {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed);
    std::minstd_rand random(seed);
    Gate gate(5);
    std::vector<SessionId> watching;
    for (int i = 0; i < 5; ++i) watching.push_back(gate.granted(gate.ask()));
    std::vector<TicketClaim> tickets;
    std::uint64_t served = 0;
    std::size_t claimed = 0;
    for (int i = 0; i < 300; ++i) {
      if (random() % 2) {
        const auto decision = gate.ask();
        if (Gate::is_queued(decision)) {
          tickets.push_back(gate.ticket(decision));
        } else {
          CHECK(claimed == tickets.size());  // no newcomer overtakes the queue
          watching.push_back(gate.granted(decision));
        }
      }
      if (random() % 3 == 0 && !watching.empty()) {
        gate.admission->release(watching.back());
        watching.pop_back();
      }
      gate.pass(100ms);
      if (random() % 8 == 0) gate.clock.step_wall(random() % 2 ? 1h : -1h);
      // All tickets poll, the last ones first: those that are admitted are the front of the queue without a gap.
      std::vector<std::size_t> let_in;
      for (std::size_t at = tickets.size(); at-- > claimed;)
        if (gate.is_granted(gate.show(tickets[at]))) let_in.push_back(at);
      std::reverse(let_in.begin(), let_in.end());
      for (const auto at : let_in) {
        CHECK(at == claimed++);
        watching.push_back(tickets[at].session);
      }
      for (const auto id : watching) gate.admission->renew(id, {.channel = "main"}, gate.idle);
      const auto now = gate.admission->queue_status("main")->lanes[0].served;
      CHECK(now >= served);
      served = now;
      CHECK(gate.admission->sessions() <= 5);
    }
    CHECK(claimed > 10);
  }
}

TEST_CASE("lanes of any weights get their shares while all of them wait") {
  for (unsigned seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    std::minstd_rand random(seed);
    Gate gate;
    gate.settings.max_sessions = 3;
    std::map<std::string, std::size_t> served;
    std::int64_t shares = 0;
    for (const auto* name : {"a", "b", "c"})
      gate.settings.lanes.push_back({name, static_cast<std::int64_t>(1 + random() % 9)});
    for (const auto& lane : gate.settings.lanes) shares += lane.share;
    gate.open();
    std::vector<std::pair<std::string, TicketClaim>> waiting;
    std::vector<SessionId> watching;
    for (int i = 0; i < 3; ++i) watching.push_back(gate.granted(gate.ask()));
    for (int i = 0; i < 900; ++i) {
      const auto& lane = gate.settings.lanes[static_cast<std::size_t>(i) % 3].name;
      waiting.emplace_back(lane, gate.ticket(gate.ask(lane)));
    }
    std::size_t claims = 0;
    for (; claims < 200; ++claims) {
      const auto before = gate.admission->queue_status("main")->lanes;
      gate.admission->release(watching.front());
      watching.erase(watching.begin());
      gate.clock.advance(10ms);
      gate.admission->tick();
      const auto after = gate.admission->queue_status("main")->lanes;
      for (std::size_t lane = 0; lane < 3; ++lane) {
        if (after[lane].served == before[lane].served) continue;
        ++served[after[lane].name];
        for (auto one = waiting.begin(); one != waiting.end(); ++one) {
          if (one->first != after[lane].name) continue;
          watching.push_back(gate.granted(gate.show(one->second)));
          waiting.erase(one);
          break;
        }
      }
    }
    for (const auto& lane : gate.settings.lanes) {
      const auto due = static_cast<double>(claims) * static_cast<double>(lane.share) / static_cast<double>(shares);
      CHECK(static_cast<double>(served[lane.name]) >= due - 2);
      CHECK(static_cast<double>(served[lane.name]) <= due + 2);
    }
  }
}
