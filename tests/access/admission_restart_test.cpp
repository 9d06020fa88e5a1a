#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "access/admission_fixture.h"
#include "base/ids.h"
#include "store/store.h"

using namespace tribune;
using namespace tribune::test;
using access::Admission;
using access::DenyReason;
using access::TicketClaim;

namespace {

/// A directory whose store and Admission are closed and reopened. A kill closes both without stop().
struct AdmissionServer {
  AdmissionServer() : directory(std::filesystem::temp_directory_path() / ("tribune-access-" + base::random_id(12))) {}
  ~AdmissionServer() {
    end();
    std::filesystem::remove_all(directory);
  }

  Admission& begin(std::int64_t max_sessions) {
    gate = std::make_unique<Gate>();
    gate->clock.advance(24h * runs++);
    auto opened = store::Store::open(
        {directory.string(), {access::kAccessTables.begin(), access::kAccessTables.end()}, 1ull << 26, 1ms, "test 1"},
        gate->log);
    REQUIRE(opened);
    store = std::move(*opened);
    gate->settings.max_sessions = max_sessions;
    gate->open({{"main", 5}}, store.get());
    return *gate->admission;
  }
  void end() {
    store.reset();  // commits what is queued, before the Admission whose callback it calls
    gate.reset();
  }
  /// Waits until all queued writes are on disk.
  void settle() {
    REQUIRE(store->flush());
    gate->admission->tick();
    REQUIRE(store->flush());
  }

  std::filesystem::path directory;
  int runs = 0;
  std::unique_ptr<Gate> gate;
  std::unique_ptr<store::Store> store;
};

}  // namespace

TEST_CASE("after a kill active sessions continue, the limit holds for newcomers, and the queue keeps its order") {
  AdmissionServer server;
  server.begin(3);
  auto* gate = server.gate.get();
  std::vector<access::SessionId> watching;
  for (int i = 0; i < 3; ++i) watching.push_back(gate->granted(gate->ask()));
  std::vector<TicketClaim> waiting;
  for (int i = 0; i < 5; ++i) waiting.push_back(gate->ticket(gate->ask()));
  server.settle();
  server.end();

  server.begin(3);
  gate = server.gate.get();
  const auto newcomer = gate->ticket(gate->ask());
  CHECK(newcomer.number > waiting.back().number);
  for (const auto id : watching)
    CHECK(gate->admission->renew(id, {.channel = "main"}, 1h) == Admission::Renewal::known);
  for (int i = 5; i-- > 0;) CHECK(gate->is_queued(gate->show(waiting[static_cast<std::size_t>(i)])));
  CHECK(gate->queued(gate->show(waiting[4])).ahead == 4);
  for (int i = 0; i < 20; ++i) {
    gate->pass(1s);
    for (const auto& ticket : waiting) CHECK(gate->is_queued(gate->show(ticket)));
  }
  CHECK(gate->admission->sessions() == 3);
  for (int i = 0; i < 3; ++i) {
    gate->admission->release(watching[static_cast<std::size_t>(i)]);
    gate->pass(100ms);
    server.settle();
    CHECK(gate->is_queued(gate->show(waiting[static_cast<std::size_t>(i) + 1])));
    CHECK(gate->is_granted(gate->show(waiting[static_cast<std::size_t>(i)])));
  }
  CHECK(gate->is_queued(gate->show(newcomer)));
}

TEST_CASE("a ticket called before a kill opens its session afterwards, and one claimed long before is rejected") {
  AdmissionServer server;
  server.begin(1);
  auto* gate = server.gate.get();
  const auto watching = gate->granted(gate->ask());
  const auto called = gate->ticket(gate->ask());
  gate->admission->release(watching);
  gate->pass(100ms);
  server.settle();
  CHECK(gate->is_granted(gate->show(called)));
  server.end();

  server.begin(1);
  gate = server.gate.get();
  CHECK(gate->is_granted(gate->show(called)));
  CHECK(gate->admission->sessions() == 1);
  gate->pass(40s);
  CHECK(gate->admission->sessions() == 0);
  CHECK(gate->is_granted(gate->ask()));
  CHECK(gate->is_queued(gate->ask()));
  CHECK(gate->refusal(gate->show(called)) == DenyReason::ticket_expired);
}

TEST_CASE("no ticket number is issued twice, however often the process is killed") {
  AdmissionServer server;
  std::set<std::uint64_t> numbers;
  for (int run = 0; run < 5; ++run) {
    server.begin(0);
    for (int i = 0; i < 20; ++i) CHECK(numbers.insert(server.gate->ticket(server.gate->ask()).number).second);
    if (run % 2) server.settle();
    server.end();
  }
  CHECK(numbers.size() == 100);
}

TEST_CASE("numbers that a former run may have issued delay no other ticket for longer than the lease") {
  AdmissionServer server;
  server.begin(1);
  server.gate->granted(server.gate->ask());
  for (int i = 0; i < 10; ++i) server.gate->ticket(server.gate->ask());
  server.settle();
  server.end();

  server.begin(1);
  auto* gate = server.gate.get();
  const auto newcomer = gate->ticket(gate->ask());
  for (int i = 0; i < 4; ++i) {
    gate->pass(10s);
    server.settle();
    if (gate->is_granted(gate->show(newcomer))) break;
  }
  CHECK(gate->admission->sessions() == 1);
}

TEST_CASE("a limit that was changed at run time survives a restart, until it is reset") {
  AdmissionServer server;
  server.begin(100);
  REQUIRE(server.gate->admission->change_limits(R"({"max_sessions":7,"channels":{"main":{"max_traffic_mbps":12.5}}})"));
  server.end();
  server.begin(100);
  CHECK(server.gate->admission->limits().global.max_sessions == 7);
  CHECK(server.gate->admission->limits().channels["main"].max_traffic_mbps == 12.5);
  server.gate->admission->reset_limits();
  server.end();
  server.begin(100);
  CHECK(server.gate->admission->limits().global.max_sessions == 100);
}

TEST_CASE("a change of the limits is acknowledged when it is on disk, and at once when there is no disk") {
  AdmissionServer server;
  server.begin(100);
  std::atomic<int> kept{0};
  const auto on_durable = [&](base::Status status) { kept += status.has_value(); };
  REQUIRE(server.gate->admission->change_limits(R"({"max_sessions":7})", on_durable));
  server.gate->admission->reset_limits(on_durable);
  CHECK_FALSE(server.gate->admission->change_limits(R"({"max_sessions":-1})", on_durable));
  REQUIRE(server.store->flush());
  CHECK(kept == 2);
  Gate gate;
  gate.open({{"main", 5}});
  gate.admission->reset_limits(on_durable);
  CHECK(kept == 3);
}

TEST_CASE("a first start, and a start after a clean stop without active sessions, admit newcomers at once") {
  AdmissionServer server;
  CHECK(server.begin(1).sessions() == 0);
  server.gate->admission->release(server.gate->granted(server.gate->ask()));
  server.gate->admission->stop();
  server.end();
  server.begin(1);
  CHECK(server.gate->is_granted(server.gate->ask()));
}

TEST_CASE("the result of the lot is the same after a kill") {
  AdmissionServer server;
  access::Lottery before;
  {
    server.begin(1);
    auto& admission = *server.gate->admission;
    admission.configure(server.gate->settings, {{"later", 5, server.gate->clock.wall_now() + 10s}});
    server.settle();
    for (int i = 0; i < 20; ++i) server.gate->ticket(server.gate->ask("", "later"));
    server.gate->pass(11s);
    server.settle();
    before = admission.queue_status("later")->lanes[0].lottery;
    CHECK(before.end - before.first == 20);
    server.end();
  }
  server.begin(1);
  server.gate->admission->configure(server.gate->settings, {{"later", 5}});
  CHECK(server.gate->admission->queue_status("later")->lanes[0].lottery == before);
}

namespace {

access::Visitor device(std::string_view name, std::int64_t opened) {
  return {.channel = "main", .account = "ann", .device = name, .opened = 1'700'000'000 + opened};
}

}  // namespace

TEST_CASE("after a kill an account's devices count again, none is ended, and the oldest is the one that began first") {
  AdmissionServer server;
  const auto begin = [&](access::AccountRule rule) {
    server.begin(access::kNoLimit);
    server.gate->settings.max_sessions_per_account = 2;
    server.gate->settings.account_rule = rule;
    server.gate->admission->configure(server.gate->settings, {{"main", 5}});
  };
  begin(access::AccountRule::refuse);
  auto* gate = server.gate.get();
  const auto tv = gate->granted(gate->ask(device("TV", 100))), phone = gate->granted(gate->ask(device("Phone", 200)));
  server.settle();
  server.end();

  SUBCASE("the newest device is refused") {
    begin(access::AccountRule::refuse);
    gate = server.gate.get();
    CHECK(gate->refusal(gate->ask(device("Tablet", 300))) ==
          DenyReason::account_full);  // before their sessions are renewed
    CHECK(gate->is_granted(gate->ask()));
    CHECK(gate->admission->renew(phone, device("Phone", 200), 1h) == Admission::Renewal::known);
    CHECK(gate->admission->renew(tv, device("TV", 100), 1h) == Admission::Renewal::known);
    const auto third = gate->ask(device("Laptop", 301));
    REQUIRE(gate->refusal(third) == DenyReason::account_full);
    CHECK(std::get<access::Refused>(third).devices == std::vector<std::string>{"TV", "Phone"});
    CHECK(gate->admission->release(tv));
    CHECK(gate->is_queued(gate->ask(device("Tablet", 302))));  // a device whose session was not on disk may be active
    gate->pass(20s);
    CHECK(gate->is_granted(gate->ask(device("Tablet", 322))));
  }
  SUBCASE("the newest device takes over") {
    begin(access::AccountRule::take_over);
    gate = server.gate.get();
    CHECK(gate->admission->renew(phone, device("Phone", 200), 1h) == Admission::Renewal::known);
    CHECK(gate->admission->renew(tv, device("TV", 100), 1h) == Admission::Renewal::known);
    gate->pass(20s);
    const auto decision = gate->ask(device("Tablet", 320));
    gate->granted(decision);
    CHECK(std::get<access::Granted>(decision).replaced == std::vector<access::SessionId>{tv});
    CHECK(gate->admission->renew(tv, device("TV", 100), 1h) == Admission::Renewal::ended);
  }
}

TEST_CASE("a device that was away for long returns when the account's other devices leave a slot for it") {
  Gate gate;
  gate.settings.max_sessions_per_account = 1;
  gate.open();
  const auto tv = gate.granted(gate.ask(device("TV", 100)));
  gate.pass(20s);
  const auto phone = gate.granted(gate.ask(device("Phone", 120)));
  CHECK(gate.admission->renew(tv, device("TV", 100), 10s) == Admission::Renewal::lapsed);
  CHECK(gate.admission->release(phone));
  CHECK(gate.admission->renew(tv, device("TV", 100), 10s) == Admission::Renewal::adopted);
}

TEST_CASE("after a kill there are no more sessions than before, however many tokens of ended sessions are presented") {
  AdmissionServer server;
  server.begin(10);
  auto* gate = server.gate.get();
  std::vector<access::SessionId> hoarded, watching;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 10; ++i) hoarded.push_back(gate->granted(gate->ask()));
    gate->pass(12s);
  }
  for (int i = 0; i < 10; ++i) watching.push_back(gate->granted(gate->ask()));
  server.settle();
  server.end();

  server.begin(10);
  gate = server.gate.get();
  for (const auto id : hoarded)
    CHECK(gate->admission->renew(id, {.channel = "main"}, 10s) == Admission::Renewal::lapsed);
  CHECK(gate->admission->sessions() == 10);
  for (const auto id : watching)
    CHECK(gate->admission->renew(id, {.channel = "main"}, 10s) == Admission::Renewal::known);
  CHECK(gate->is_queued(gate->ask()));
  gate->pass(9s);
  CHECK(gate->admission->sessions() == 10);
  gate->pass(3s);
  CHECK(gate->admission->sessions() == 0);
}

TEST_CASE("after a kill the limit of every scope counts the sessions of that scope") {
  AdmissionServer server;
  const access::Visitor at_a{.channel = "main", .group = "arena", .node = "a"},
      at_b{.channel = "main", .group = "arena", .node = "b"};
  const auto limits =
      R"({"channels":{"main":{"max_sessions":4}},"groups":{"arena":{"max_sessions":3}},"nodes":{"a":{"max_sessions":2},"b":{"max_traffic_mbps":6}}})";
  server.begin(100);
  REQUIRE(server.gate->admission->change_limits(limits));
  auto* gate = server.gate.get();
  const auto stays = gate->granted(gate->ask(at_a)), moves = gate->granted(gate->ask(at_a));
  const auto other = gate->granted(gate->ask({.channel = "main", .group = "city", .node = "c"}));
  CHECK(gate->admission->move(moves, {"arena", "b"}, false));
  server.settle();
  server.end();

  server.begin(100);
  gate = server.gate.get();
  const auto back = [&](const access::Visitor& visitor) {
    return gate->admission->renew(gate->clock.wall_now().time_since_epoch().count() | 1, visitor, 10s);
  };
  CHECK(back(at_b) == Admission::Renewal::lapsed);   // the session that moved there uses all of its traffic
  CHECK(back(at_a) == Admission::Renewal::adopted);  // a session that was not on disk
  gate->clock.advance(1ms);
  CHECK(back(at_a) == Admission::Renewal::lapsed);  // the node is full
  CHECK(back({.channel = "main", .group = "city", .node = "c"}) ==
        Admission::Renewal::lapsed);  // and the channel is full
  for (const auto id : {stays, moves, other})
    CHECK(gate->admission->renew(id, {.channel = "main"}, 10s) == Admission::Renewal::known);
}

TEST_CASE(
    "after a kill the sessions of each address count again, and sessions that ended because of sharing stay ended") {
  AdmissionServer server;
  const auto begin = [&] {
    server.begin(access::kNoLimit);
    server.gate->settings.max_sessions_per_address = 2;
    server.gate->settings.max_networks_per_session = 1;
    server.gate->settings.sharing_rule = access::SharingRule::end;
    server.gate->admission->configure(server.gate->settings, {{"main", 5}});
    return server.gate.get();
  };
  const auto from = [](std::string_view client) {
    return access::Visitor{.channel = "main", .client = client, .network = 1};
  };
  auto* gate = begin();
  const auto first = gate->granted(gate->ask(from("192.0.2.1"))), second = gate->granted(gate->ask(from("192.0.2.1")));
  const auto other = gate->granted(gate->ask(from("192.0.2.2"))), shared = gate->granted(gate->ask(from("192.0.2.3")));
  CHECK(gate->admission->renew(shared, from("192.0.2.3"), 1h) == Admission::Renewal::known);
  CHECK(gate->admission->renew(shared, {.channel = "main", .network = 2}, 1h) == Admission::Renewal::ended);
  server.settle();
  server.end();

  gate = begin();
  CHECK(gate->refusal(gate->ask(from("192.0.2.1"))) == DenyReason::too_many_sessions);
  CHECK(gate->admission->renew(77, from("192.0.2.1"), 1h) ==
        Admission::Renewal::lapsed);  // a session that was not on disk
  CHECK(gate->admission->renew(78, from("192.0.2.2"), 1h) == Admission::Renewal::adopted);
  CHECK(gate->refusal(gate->ask(from("192.0.2.2"))) == DenyReason::too_many_sessions);
  CHECK(gate->admission->renew(shared, from("192.0.2.3"), 1h) == Admission::Renewal::ended);
  for (const auto id : {first, second, other})
    CHECK(gate->admission->renew(id, {.channel = "main"}, 1h) == Admission::Renewal::known);
  CHECK(gate->admission->release(first));
  CHECK(gate->is_granted(gate->ask(from("192.0.2.1"))));
  CHECK(gate->refusal(gate->ask(from("192.0.2.1"))) == DenyReason::too_many_sessions);
}

TEST_CASE("a stopped session, and one that another device took over, stay ended after a kill") {
  AdmissionServer server;
  server.begin(5);
  const auto stopped = server.gate->granted(server.gate->ask());
  CHECK(server.gate->admission->release(stopped));
  const auto unseen = server.gate->granted(server.gate->ask());
  server.gate->admission->take_back(unseen);
  server.settle();
  server.end();
  server.begin(5);
  CHECK(server.gate->admission->renew(stopped, {.channel = "main"}, 10s) == Admission::Renewal::ended);
  CHECK(server.gate->admission->renew(unseen, {.channel = "main"}, 10s) ==
        Admission::Renewal::adopted);  // its token was never issued
  CHECK(server.gate->metrics.scrape().find("tribune_access_past_sessions 1") != std::string::npos);
}

TEST_CASE("a long idle time continues after a kill, and ends when it would have ended") {
  AdmissionServer server;
  server.begin(5);
  server.gate->idle = 2h;
  const auto film = server.gate->granted(server.gate->ask());
  server.gate->pass(1s);
  CHECK(server.gate->admission->renew(film, {.channel = "main"}, 30h) == Admission::Renewal::known);
  server.settle();
  server.end();
  server.begin(5);  // a day later
  server.gate->pass(60s);
  CHECK(server.gate->admission->sessions() == 1);
  server.gate->clock.advance(6h);
  server.gate->pass(2s);
  CHECK(server.gate->admission->sessions() == 0);
}

TEST_CASE("a short queue stays open for newcomers, however often the process was killed while no slot was free") {
  AdmissionServer server;
  server.begin(0);
  const auto first = server.gate->ticket(server.gate->ask());
  for (int run = 0; run < 40; ++run) {
    server.settle();
    server.end();
    server.begin(0);
    server.gate->settings.max_queue = 10;
    server.gate->admission->configure(server.gate->settings, {{"main", 5}});
    CHECK(server.gate->is_queued(server.gate->show(first)));
  }
  CHECK(server.gate->is_queued(server.gate->ask()));
}

TEST_CASE("a clean stop wastes no ticket number") {
  AdmissionServer server;
  server.begin(0);
  CHECK(server.gate->ticket(server.gate->ask()).number == 1);
  server.settle();
  server.gate->admission->stop();
  CHECK(server.gate->refusal(server.gate->ask()) == DenyReason::busy);
  server.end();
  server.begin(0);
  server.settle();
  CHECK(server.gate->ticket(server.gate->ask()).number == 2);
}

TEST_CASE("a viewer that left a recording before a kill frees their slot soon after it") {
  AdmissionServer server;
  server.begin(5);
  const auto film = server.gate->granted(server.gate->ask());
  CHECK(server.gate->admission->renew(film, {.channel = "main"}, 30h) == Admission::Renewal::known);
  CHECK(server.gate->admission->leave(film));
  server.settle();
  server.end();
  server.begin(5);
  CHECK(server.gate->admission->sessions() == 1);
  server.gate->pass(12s);
  CHECK(server.gate->admission->sessions() == 0);
}
