#include <atomic>
#include <barrier>
#include <deque>
#include <set>
#include <thread>
#include <vector>

#include "access/admission_fixture.h"

using namespace tribune;
using namespace tribune::test;
using access::Admission;
using access::DenyReason;

TEST_CASE("viewers are admitted at once up to the limit, and the next one is queued") {
  Gate gate(2);
  CHECK(gate.is_granted(gate.ask()));
  CHECK(gate.is_granted(gate.ask()));
  const auto third = gate.queued(gate.ask());
  CHECK(third.is_new);
  CHECK(third.ticket.number == 1);
  CHECK(third.ahead == 0);
  CHECK_FALSE(third.eta);
  CHECK(gate.queued(gate.ask()).ahead == 1);
  CHECK(gate.admission->sessions() == 2);
}

TEST_CASE("a freed slot goes to the first ticket in the queue, not to a newcomer that requests first") {
  Gate gate(1);
  const auto watching = gate.granted(gate.ask());
  const auto first = gate.ticket(gate.ask()), second = gate.ticket(gate.ask());
  CHECK(gate.admission->release(watching));
  CHECK(gate.is_queued(gate.ask()));
  CHECK(gate.is_queued(gate.show(second)));
  CHECK(gate.granted(gate.show(first)) == first.session);
  CHECK(gate.is_queued(gate.show(second)));
}

TEST_CASE("a ticket that is claimed twice opens one session") {
  Gate gate(1);
  gate.admission->release(gate.granted(gate.ask()));
  const auto watching = gate.granted(gate.ask());
  const auto ticket = gate.ticket(gate.ask());
  gate.admission->release(watching);
  gate.pass(100ms);
  CHECK(std::get<access::Granted>(gate.show(ticket)).is_new);
  const auto again = std::get<access::Granted>(gate.show(ticket));
  CHECK_FALSE(again.is_new);
  CHECK(again.session == ticket.session);
  CHECK(gate.admission->sessions() == 1);
}

TEST_CASE("a session that is not renewed frees its slot after the idle time, and does not return when all is full") {
  Gate gate(1);
  const auto gone = gate.granted(gate.ask());
  gate.pass(12s);
  CHECK(gate.admission->sessions() == 0);
  CHECK(gate.is_granted(gate.ask()));
  CHECK(gate.admission->renew(gone, {.channel = "main"}, 10s) == Admission::Renewal::lapsed);
}

TEST_CASE(
    "two simultaneous requests of one returning session are both accepted, even if one of them takes the last slot") {
  Gate gate(1);
  constexpr int kRounds = 2'000;
  access::SessionId id = 1'000;
  std::atomic<int> known{0}, adopted{0};
  std::barrier step(2);
  const auto ask = [&] {
    const auto found = gate.admission->renew(id, {.channel = "main"}, 10s);
    known += found == Admission::Renewal::known;
    adopted += found == Admission::Renewal::adopted;
  };
  std::thread other([&] {
    for (int round = 0; round < kRounds; ++round) {
      step.arrive_and_wait();
      ask();
      step.arrive_and_wait();
    }
  });
  for (int round = 0; round < kRounds; ++round) {
    step.arrive_and_wait();
    ask();
    step.arrive_and_wait();
    gate.clock.advance(12s);
    gate.admission->tick();
    ++id;
  }
  other.join();
  CHECK(adopted == kRounds);
  CHECK(known == kRounds);
}

TEST_CASE("a stopped session is not reopened by its token") {
  Gate gate(10);
  const auto id = gate.granted(gate.ask());
  CHECK(gate.admission->release(id));
  CHECK_FALSE(gate.admission->release(id));
  CHECK(gate.admission->renew(id, {.channel = "main"}, 10s) == Admission::Renewal::ended);
}

TEST_CASE("a called ticket that is not claimed loses its place, and the next ticket is called") {
  Gate gate(1);
  const auto watching = gate.granted(gate.ask());
  const auto first = gate.ticket(gate.ask()), second = gate.ticket(gate.ask());
  gate.admission->release(watching);
  for (int i = 0; i < 4; ++i) {
    gate.pass(8s);
    if (i < 3) CHECK(gate.is_queued(gate.show(second)));
  }
  CHECK(gate.granted(gate.show(second)) == second.session);
  CHECK(gate.refusal(gate.show(first)) == DenyReason::ticket_expired);
}

TEST_CASE("a ticket that is not polled for the lease is skipped, and keeps its place if polled again before its turn") {
  Gate gate(1);
  const auto watching = gate.granted(gate.ask());
  const auto gone = gate.ticket(gate.ask()), back = gate.ticket(gate.ask()), there = gate.ticket(gate.ask());
  for (int i = 0; i < 8; ++i) {
    gate.pass(5s);
    gate.admission->renew(watching, {.channel = "main"}, 10s);
    gate.show(there);
  }
  CHECK(gate.queued(gate.show(there)).ahead == 0);  // two of them are silent
  CHECK(gate.queued(gate.show(back)).ahead == 0);
  CHECK(gate.queued(gate.show(there)).ahead == 1);
  gate.admission->release(watching);
  gate.pass(100ms);
  CHECK(gate.is_queued(gate.show(there)));
  CHECK(gate.granted(gate.show(back)) == back.session);
  CHECK(gate.refusal(gate.show(gone)) == DenyReason::ticket_expired);
}

TEST_CASE("on a machine that started less than a lease ago no waiting ticket counts as silent") {
  Gate gate;
  gate.settings.max_sessions = 1;
  gate.settings.refresh = 100min;  // the lease is longer than the steady clock has run
  gate.open();
  REQUIRE(gate.clock.steady_now() == base::SteadyTime{});
  const auto first = gate.granted(gate.ask());
  const auto waits = gate.ticket(gate.ask());
  gate.pass(2s);
  gate.admission->release(first);
  gate.pass(1s);
  CHECK(gate.is_granted(gate.show(waits)));
}

TEST_CASE("a cancelled ticket passes its place and its slot to the next ticket") {
  Gate gate(1);
  const auto watching = gate.granted(gate.ask());
  const auto first = gate.ticket(gate.ask()), second = gate.ticket(gate.ask());
  gate.admission->release(watching);
  gate.pass(100ms);
  CHECK(gate.admission->cancel("main", first));
  CHECK_FALSE(gate.admission->cancel("main", first));
  gate.pass(100ms);
  CHECK(gate.granted(gate.show(second)) == second.session);
}

TEST_CASE("tickets of another queue, without a number, or with the session of another ticket are unknown") {
  Gate gate(0);
  const auto mine = gate.ticket(gate.ask());
  auto forged = mine;
  forged.queue ^= 1;
  CHECK(gate.refusal(gate.show(forged)) == DenyReason::ticket_unknown);
  forged = mine;
  forged.number = 2;
  CHECK(gate.refusal(gate.show(forged)) == DenyReason::ticket_unknown);
  forged.number = 0;
  CHECK(gate.refusal(gate.show(forged)) == DenyReason::ticket_unknown);
  forged = mine;
  forged.session ^= 1;
  CHECK(gate.refusal(gate.show(forged)) == DenyReason::ticket_unknown);
  forged = mine;
  forged.lane = 7;
  CHECK(gate.refusal(gate.show(forged)) == DenyReason::ticket_unknown);
}

TEST_CASE("a full queue and an address with too many tickets are refused with the reason") {
  Gate gate;
  gate.settings.max_sessions = 0;
  gate.settings.max_queue = 3;
  gate.settings.max_tickets_per_address = 2;
  gate.open();
  const access::Visitor greedy{.channel = "main", .client = "10.0.0.1"};
  const auto first = gate.ticket(gate.ask(greedy));
  CHECK(gate.is_queued(gate.ask(greedy)));
  CHECK(gate.refusal(gate.ask(greedy)) == DenyReason::too_many_tickets);
  CHECK(gate.is_queued(gate.ask()));
  const auto full = gate.ask();
  CHECK(gate.refusal(full) == DenyReason::queue_full);
  CHECK(std::get<access::Refused>(full).come_back > 0s);
  CHECK(gate.admission->cancel("main", first));
  CHECK(gate.is_queued(gate.ask(greedy)));
}

TEST_CASE("a lowered limit ends no session, and freed slots stay unused until the limit is met") {
  Gate gate(3);
  std::vector<access::SessionId> watching;
  for (int i = 0; i < 3; ++i) watching.push_back(gate.granted(gate.ask()));
  const auto waiting = gate.ticket(gate.ask());
  REQUIRE(gate.admission->change_limits(R"({"max_sessions":1})"));
  for (const auto id : watching)
    CHECK(gate.admission->renew(id, {.channel = "main"}, 10s) == Admission::Renewal::known);
  gate.admission->release(watching[0]);
  gate.admission->release(watching[1]);
  CHECK(gate.is_queued(gate.show(waiting)));
  gate.admission->release(watching[2]);
  CHECK(gate.is_granted(gate.show(waiting)));
  CHECK_FALSE(gate.admission->change_limits(R"({"max_sessions":-1})"));
  CHECK_FALSE(gate.admission->change_limits(R"({"max_sesions":1})"));
  CHECK(gate.admission->limits().global.max_sessions == 1);
  gate.admission->reset_limits();
  CHECK(gate.admission->limits().global.max_sessions == 3);
}

TEST_CASE("a called ticket keeps its place and waits when the limit is lowered before it is claimed") {
  Gate gate(2);
  gate.granted(gate.ask());
  const auto leaving = gate.granted(gate.ask());
  const auto first = gate.ticket(gate.ask());
  gate.admission->release(leaving);
  gate.pass(100ms);
  REQUIRE(gate.admission->change_limits(R"({"max_sessions":1})"));
  CHECK(gate.is_queued(gate.show(first)));
  REQUIRE(gate.admission->change_limits(R"({"max_sessions":2})"));
  CHECK(gate.is_granted(gate.show(first)));
}

TEST_CASE("the overload drill admits no viewer and ends no session; afterwards the queue continues in order") {
  Gate gate(100);
  const auto watching = gate.granted(gate.ask());
  gate.admission->set_drill("", {.is_closed = true});
  std::vector<access::TicketClaim> tickets;
  for (int i = 0; i < 5; ++i) tickets.push_back(gate.ticket(gate.ask()));
  gate.pass(3s);
  CHECK(gate.admission->renew(watching, {.channel = "main"}, 10s) == Admission::Renewal::known);
  CHECK(gate.admission->queue_status("main")->overload_emulation);
  CHECK(gate.admission->sessions() == 1);
  gate.admission->set_drill("", {});
  for (const auto& ticket : tickets) CHECK(gate.granted(gate.show(ticket)) == ticket.session);
}

TEST_CASE("simulated sessions and traffic count against the limits") {
  Gate gate(10);
  REQUIRE(gate.admission->change_limits(R"({"channels":{"main":{"max_traffic_mbps":100}}})"));
  gate.admission->set_drill("", {.extra_sessions = 9});
  CHECK(gate.is_granted(gate.ask()));
  CHECK(gate.is_queued(gate.ask()));
  gate.admission->set_drill("", {});
  gate.admission->set_drill("main", {.extra_mbps = 93});
  CHECK(gate.is_queued(gate.ask()));
}

TEST_CASE("during a rush new sessions count with their predicted traffic before the nodes report it") {
  Gate gate;
  gate.settings.max_traffic_mbps = 100;
  gate.open({{"main", 5}});
  gate.admission->measured({"stadium", "a", 0, {}});
  int let_in = 0;
  for (int i = 0; i < 50; ++i) let_in += gate.is_granted(gate.ask());
  CHECK(let_in == 20);
}

TEST_CASE("measured traffic replaces the prediction of settled sessions, which returns when the node reports none") {
  Gate gate;
  gate.settings.max_traffic_mbps = 100;
  gate.idle = 1h;
  gate.open({{"main", 5}});
  for (int i = 0; i < 20; ++i) CHECK(gate.is_granted(gate.ask()));
  for (int i = 0; i < 12; ++i) {
    gate.pass(1s);
    gate.admission->measured({"stadium", "a", 30, {{"main", 30}}});
  }
  CHECK(gate.is_granted(gate.ask()));  // 30 measured and 5 predicted
  gate.pass(10s);                      // the node sends no report
  CHECK(gate.is_queued(gate.ask()));
}

TEST_CASE("a full node delays only the viewers that are to be served by it") {
  Gate gate(100);
  REQUIRE(gate.admission->change_limits(R"({"nodes":{"a":{"max_sessions":1}},"groups":{"city":{"max_sessions":2}}})"));
  const access::Visitor at_a{.channel = "main", .group = "stadium", .node = "a"},
      in_city{.channel = "main", .group = "city", .node = "b"};
  const auto watching = gate.granted(gate.ask(at_a));
  const auto held = gate.ticket(gate.ask(at_a));
  gate.pass(1s);
  CHECK(gate.is_granted(gate.ask(in_city)));
  CHECK(gate.is_granted(gate.ask(in_city)));
  CHECK(gate.is_queued(gate.ask(in_city)));
  CHECK(gate.is_granted(gate.ask()));
  CHECK(gate.is_queued(gate.show(held)));
  gate.admission->release(watching);
  CHECK(gate.is_queued(gate.ask(at_a)));
  CHECK(gate.granted(gate.show(held)) == held.session);
}

TEST_CASE("a viewer that moves counts at the node that their playlists name now") {
  Gate gate(100);
  REQUIRE(gate.admission->change_limits(R"({"nodes":{"a":{"max_sessions":1}}})"));
  const access::Visitor at_a{.channel = "main", .node = "a"};
  const auto watching = gate.granted(gate.ask(at_a));
  CHECK(gate.admission->move(watching, {.node = "b"}, false));
  CHECK(gate.is_granted(gate.ask(at_a)));
  CHECK(gate.is_queued(gate.ask(at_a)));
}

TEST_CASE("a viewer whose first node is full gets the next node with a free slot, and waits only when all are full") {
  Gate gate(100);
  REQUIRE(gate.admission->change_limits(R"({"nodes":{"a":{"max_sessions":1}},"groups":{"city":{"max_sessions":1}}})"));
  const std::vector<access::NodeRef> both{{"stadium", "a"}, {"city", "b"}, {"city", "c"}};
  const access::Visitor visitor{.channel = "main", .group = "stadium", .node = "a", .others = both};
  const auto first = gate.ask(visitor), second = gate.ask(visitor);
  CHECK(std::get<access::Granted>(first).node == "a");
  CHECK(std::get<access::Granted>(second).node == "b");
  const auto third = gate.ticket(gate.ask(visitor));
  gate.pass(1s);
  CHECK(gate.is_queued(gate.admission->decide(visitor, &third, gate.idle)));
  CHECK(gate.is_granted(gate.ask(
      {.channel = "main", .group = "other", .node = "d"})));  // a viewer of another node does not wait for them
  gate.admission->release(gate.granted(second));
  const auto called = gate.admission->decide(visitor, &third, gate.idle);
  REQUIRE(gate.is_granted(called));
  CHECK(std::get<access::Granted>(called).node == "b");
}

TEST_CASE("of tickets that wait for overlapping sets of nodes the oldest gets a free slot first, before any newcomer") {
  Gate gate(100);
  REQUIRE(gate.admission->change_limits(R"({"nodes":{"a":{"max_sessions":1},"b":{"max_sessions":1}}})"));
  const std::vector<access::NodeRef> both{{"", "a"}, {"", "b"}};
  const access::Visitor at_a{.channel = "main", .node = "a"}, at_b{.channel = "main", .node = "b"},
      anywhere{.channel = "main", .node = "a", .others = both};
  const auto in_a = gate.granted(gate.ask(at_a)), in_b = gate.granted(gate.ask(at_b));
  const auto first = gate.ticket(gate.ask(anywhere));
  gate.pass(1s);
  const auto second = gate.ticket(gate.ask(at_b)), third = gate.ticket(gate.ask(at_a));
  gate.pass(1s);
  gate.admission->release(in_b);
  CHECK(gate.is_queued(gate.ask(at_b)));
  CHECK(gate.is_queued(gate.show(second)));
  CHECK(std::get<access::Granted>(gate.show(first)).node == "b");
  gate.admission->release(in_a);
  CHECK(gate.is_queued(gate.show(second)));
  CHECK(gate.is_granted(gate.show(third)));
}

TEST_CASE("a ticket whose node is gone is called for a node that its holder may use now") {
  Gate gate(100);
  REQUIRE(gate.admission->change_limits(
      R"({"nodes":{"a":{"max_sessions":0},"b":{"max_sessions":0},"c":{"max_sessions":1}}})"));
  const access::Visitor at_a{.channel = "main", .node = "a"}, at_b{.channel = "main", .node = "b"};
  const auto before = gate.ticket(gate.ask(at_a));
  gate.pass(1s);  // its turn came, but its node has no free slot
  CHECK(gate.is_queued(gate.admission->decide(at_b, &before, gate.idle)));
  const std::vector<access::NodeRef> also_c{{"", "c"}};
  const auto called = gate.admission->decide({.channel = "main", .node = "b", .others = also_c}, &before, gate.idle);
  REQUIRE(gate.is_granted(called));
  CHECK(std::get<access::Granted>(called).node == "c");
}

TEST_CASE("a viewer moves to a full node only if they must, and node selection receives the limits of nodes") {
  Gate gate(100);
  CHECK(gate.admission->node_limits() == nullptr);
  REQUIRE(gate.admission->change_limits(R"({"nodes":{"a":{"max_sessions":1}},"groups":{"city":{"max_sessions":5}}})"));
  const auto at_a = gate.granted(gate.ask({.channel = "main", .node = "a"})),
             in_city = gate.granted(gate.ask({.channel = "main", .group = "city", .node = "b"}));
  CHECK_FALSE(gate.admission->move(in_city, {.node = "a"}, false));
  CHECK(gate.admission->move(in_city, {.group = "city", .node = "c"},
                             false));  // the group is the same, so no further slot is needed there
  gate.pass(100ms);
  const auto limits = gate.admission->node_limits();
  REQUIRE(limits);
  CHECK(limits->is_full({"", "a"}));
  CHECK(limits->is_limited({"city", "c"}));
  CHECK_FALSE(limits->is_full({"city", "c"}));
  CHECK(gate.admission->move(in_city, {.node = "a"}, true));  // its node failed: no active session is ended
  gate.admission->release(at_a);
  CHECK(gate.is_queued(gate.ask({.channel = "main", .node = "a"})));
  gate.admission->reset_limits();
  CHECK(gate.admission->node_limits() == nullptr);
}

TEST_CASE("a session that lapsed is readmitted only if a node has a free slot") {
  Gate gate(100);
  REQUIRE(gate.admission->change_limits(R"({"nodes":{"a":{"max_sessions":1}}})"));
  const access::Visitor at_a{.channel = "main", .node = "a"};
  const auto away = gate.granted(gate.ask(at_a));
  gate.pass(15s);
  const auto other = gate.granted(gate.ask(at_a));
  CHECK(gate.admission->renew(away, {.channel = "main"}, gate.idle) == access::Admission::Renewal::unplaced);
  CHECK(gate.admission->renew(away, at_a, gate.idle) == access::Admission::Renewal::lapsed);
  const std::vector<access::NodeRef> others{{"", "b"}};
  CHECK(gate.admission->renew(away, {.channel = "main", .node = "a", .others = others}, gate.idle) ==
        access::Admission::Renewal::adopted);
  CHECK(gate.admission->renew(other, {.channel = "main"}, gate.idle) == access::Admission::Renewal::known);
}

TEST_CASE("among channels that share a limit the earliest viewer is admitted first") {
  Gate gate;
  gate.settings.max_sessions = 1;
  gate.open({{"main", 5}, {"other", 5}});
  const auto watching = gate.granted(gate.ask());
  const auto first = gate.ticket(gate.ask("", "other"));
  gate.clock.advance(1s);
  const auto second = gate.ticket(gate.ask());
  gate.admission->release(watching);
  CHECK(gate.is_queued(gate.show(second)));
  CHECK(gate.is_granted(gate.show(first, "other")));
}

TEST_CASE("an account with one device too many is refused, and the response names its active devices") {
  Gate gate;
  gate.settings.max_sessions_per_account = 2;
  gate.open();
  const auto ask = [&](std::string_view device) {
    return gate.ask({.channel = "main", .account = "ann", .device = device});
  };
  const auto tv = gate.granted(ask("TV"));
  CHECK(gate.is_granted(ask("Phone")));
  const auto third = ask("Tablet");
  CHECK(gate.refusal(third) == DenyReason::account_full);
  CHECK(std::get<access::Refused>(third).devices == std::vector<std::string>{"TV", "Phone"});
  CHECK(gate.is_granted(gate.ask({.channel = "main", .account = "bob"})));
  gate.admission->release(tv);
  CHECK(gate.is_granted(ask("Tablet")));
}

TEST_CASE("with take_over the newest device replaces the oldest one, even when all slots are taken") {
  Gate gate;
  gate.settings.max_sessions = 1;
  gate.settings.max_sessions_per_account = 1;
  gate.settings.account_rule = access::AccountRule::take_over;
  gate.open();
  const auto tv = gate.granted(gate.ask({.channel = "main", .account = "ann", .device = "TV"}));
  CHECK(gate.is_queued(gate.ask()));
  const auto decision = gate.ask({.channel = "main", .account = "ann", .device = "Phone"});
  gate.granted(decision);
  CHECK(std::get<access::Granted>(decision).replaced == std::vector{tv});
  CHECK(gate.admission->renew(tv, {.channel = "main"}, 10s) == Admission::Renewal::ended);
  CHECK(gate.admission->sessions() == 1);
}

TEST_CASE("lanes share freed slots by their weights, and no lane starves") {
  Gate gate;
  gate.settings.max_sessions = 1;
  gate.settings.lanes = {{"general", 1}, {"paid", 3}};
  gate.open();
  auto watching = gate.granted(gate.ask());
  std::deque<access::TicketClaim> general, paid;
  for (int i = 0; i < 100; ++i)
    general.push_back(gate.ticket(gate.ask("general"))), paid.push_back(gate.ticket(gate.ask("paid")));
  int from_general = 0;
  for (int i = 0; i < 80; ++i) {
    gate.admission->release(watching);
    gate.clock.advance(100ms);
    gate.admission->tick();
    auto& line = gate.is_granted(gate.show(general.front())) ? general : paid;
    watching = gate.granted(gate.show(line.front()));
    from_general += &line == &general;
    line.pop_front();
  }
  CHECK(from_general == 20);
}

TEST_CASE(
    "viewers that arrive before the opening get their places by lot once, and later ones are queued behind them") {
  Gate gate;
  gate.settings.max_sessions = 1;
  gate.open({{"main", 5, gate.clock.wall_now() + 20s}});
  std::vector<access::TicketClaim> early;
  for (int i = 0; i < 50; ++i) early.push_back(gate.ticket(gate.ask()));
  CHECK_FALSE(gate.admission->queue_status("main")->is_open);
  gate.clock.step_wall(1h);
  gate.pass(8s);
  gate.clock.step_wall(-1h);  // it was a mistake
  gate.pass(7s);
  CHECK_FALSE(gate.admission->queue_status("main")->is_open);
  for (const auto& ticket : early) CHECK(gate.is_queued(gate.show(ticket)));
  gate.pass(6s);
  CHECK(gate.admission->queue_status("main")->is_open);
  const auto late = gate.ticket(gate.ask());
  std::set<std::uint64_t> places;
  std::vector<std::uint64_t> order;
  const auto lottery = gate.admission->queue_status("main")->lanes[0].lottery;
  for (const auto& ticket : early) {
    CHECK(lottery.number_at(lottery.place_of(ticket.number)) == ticket.number);
    places.insert(lottery.place_of(ticket.number));
  }
  CHECK(places.size() == 50);
  CHECK(*places.begin() == 1);
  CHECK(*places.rbegin() == 50);
  CHECK(gate.queued(gate.show(late)).ahead == 49);  // one is called
  const auto first = lottery.number_at(1);
  CHECK(gate.is_granted(gate.show(early[first - 1])));
}

TEST_CASE("an opening follows the wall clock when it is corrected, also after a reload") {
  for (const auto step : {25s, -25s})
    for (const bool is_reloaded : {false, true}) {
      CAPTURE(step.count());
      CAPTURE(is_reloaded);
      Gate gate;
      const auto opening = gate.clock.wall_now() + 2min;
      gate.open({{"main", 5, opening}});
      gate.pass(5s);
      gate.clock.step_wall(step);
      if (is_reloaded) gate.admission->configure(gate.settings, {{"main", 5, opening}});
      gate.pass(15s);
      CHECK(gate.admission->queue_status("main")->opens_in ==
            std::chrono::ceil<std::chrono::seconds>(opening - gate.clock.wall_now()));
      while (gate.clock.wall_now() + 1s < opening) {
        gate.pass(1s);
        REQUIRE_FALSE(gate.admission->queue_status("main")->is_open);
      }
      gate.pass(2s);
      CHECK(gate.admission->queue_status("main")->is_open);
    }
}

TEST_CASE("the waiting time is estimated from the measured outflow, and is absent before an outflow was measured") {
  Gate gate(50);
  gate.idle = 1h;
  std::deque<access::SessionId> watching;
  for (int i = 0; i < 50; ++i) watching.push_back(gate.granted(gate.ask()));
  std::deque<access::TicketClaim> waiting;
  for (int i = 0; i < 400; ++i) waiting.push_back(gate.ticket(gate.ask()));
  CHECK_FALSE(gate.queued(gate.show(waiting.back())).eta);
  for (int second = 0; second < 60; ++second) {  // two a second
    for (int i = 0; i < 2; ++i) gate.admission->release(watching.front()), watching.pop_front();
    gate.pass(1s);
    for (int i = 0; i < 2; ++i) watching.push_back(gate.granted(gate.show(waiting.front()))), waiting.pop_front();
    for (const auto& ticket : waiting) gate.show(ticket);
  }
  const auto last = gate.queued(gate.show(waiting.back()));
  REQUIRE(last.eta);
  CHECK(last.ahead == 279);
  CHECK(last.eta->count() >= 140 * 8 / 10);
  CHECK(last.eta->count() <= 140 * 12 / 10);
  gate.admission->set_drill("", {.is_closed = true});
  CHECK_FALSE(gate.queued(gate.show(waiting.back())).eta);
}

TEST_CASE("the polling interval is jittered by at most a fifth, and is the same for one ticket each time") {
  Gate gate(0);
  std::set<std::int64_t> intervals;
  for (int i = 0; i < 50; ++i) {
    const auto queued = gate.queued(gate.ask());
    CHECK(queued.retry_after >= 10s);
    CHECK(queued.retry_after <= 12s);
    CHECK(gate.queued(gate.show(queued.ticket)).retry_after == queued.retry_after);
    intervals.insert(queued.retry_after.count());
  }
  CHECK(intervals.size() > 20);
}
