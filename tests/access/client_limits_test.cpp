#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "access/admission_fixture.h"
#include "access/session_networks.h"

using namespace tribune;
using namespace tribune::test;
using access::Admission;
using access::DenyReason;
using access::SessionNetworks;
using access::SharingRule;
using Usage = access::SessionNetworks::Usage;
using Renewal = access::Admission::Renewal;

namespace {

base::SteadyTime at(std::chrono::seconds second) { return base::SteadyTime{} + second; }

access::Visitor from(std::string_view client) { return {.channel = "main", .client = client}; }

access::Visitor on(std::uint32_t network) { return {.channel = "main", .client = "192.0.2.1", .network = network}; }

}  // namespace

TEST_CASE(
    "the networks of a session are counted for the duration of a hand-over, also with a clock that begins at zero") {
  SessionNetworks networks;
  const access::NetworkRule rule{2, 60s};
  CHECK(networks.record(1, at(0s), rule) == Usage::allowed);
  CHECK(networks.record(2, at(1s), rule) == Usage::allowed);
  CHECK(networks.record(3, at(2s), rule) == Usage::exceeded);
  CHECK(networks.record(4, at(3s), rule) == Usage::exceeded_again);
  CHECK(networks.record(1, at(50s), rule) == Usage::allowed);
  CHECK(networks.record(3, at(60s), rule) == Usage::exceeded_again);
  CHECK(networks.record(3, at(61s), rule) == Usage::allowed);  // network 2 was not used for that long
  CHECK(networks.record(2, at(62s), rule) == Usage::exceeded);
  CHECK(networks.record(3, at(63s), rule) == Usage::allowed);
  CHECK(networks.record(2, at(111s), rule) == Usage::allowed);  // network 1 was not used for that long
  CHECK(networks.record(1, at(112s), rule) == Usage::exceeded_again);
}

TEST_CASE("a viewer that uses several networks one after the other never exceeds the limit") {
  SessionNetworks networks;
  for (std::uint32_t network = 1; network < 1'000; ++network)
    CHECK(networks.record(network, at(network * 30s), {4, 120s}) == Usage::allowed);
  for (int i = 0; i < 100; ++i) CHECK(networks.record(999, at(29'970s + i * 1h), {1, 120s}) == Usage::allowed);
}

TEST_CASE("one address is limited to its sessions, and other addresses are not affected") {
  Gate gate;
  gate.settings.max_sessions_per_address = 3;
  gate.open();
  std::vector<access::SessionId> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(gate.granted(gate.ask(from("192.0.2.1"))));
  const auto refused = gate.ask(from("192.0.2.1"));
  REQUIRE(gate.refusal(refused) == DenyReason::too_many_sessions);
  CHECK(std::get<access::Refused>(refused).come_back > 0s);
  CHECK(gate.is_granted(gate.ask(from("192.0.2.2"))));
  CHECK(gate.is_granted(gate.ask(from(""))));  // from a network that is not counted
  CHECK(gate.admission->release(ids[0]));
  CHECK(gate.is_granted(gate.ask(from("192.0.2.1"))));
  CHECK(gate.metrics.scrape().find("tribune_access_address_full_total 1") != std::string::npos);
  gate.settings.max_sessions_per_address = access::kNoLimit;
  gate.admission->configure(gate.settings, {{"main", 5}});
  for (int i = 0; i < 10; ++i) CHECK(gate.is_granted(gate.ask(from("192.0.2.1"))));
}

TEST_CASE("a lapsed session does not return around the limit of its address, even if nothing else is limited") {
  Gate gate;
  gate.settings.max_sessions_per_address = 2;
  gate.admission.emplace(gate.clock, gate.log, gate.metrics, gate.settings, 2);
  gate.admission->configure(gate.settings, {{"main", 5}});
  const auto first = gate.granted(gate.ask(from("192.0.2.1"))), second = gate.granted(gate.ask(from("192.0.2.1")));
  gate.pass(12s);
  for (int i = 0; i < 2; ++i) gate.granted(gate.ask(from("192.0.2.1")));
  for (const auto id : {first, second}) CHECK(gate.admission->renew(id, from("192.0.2.1"), 10s) == Renewal::lapsed);
  CHECK(gate.admission->renew(first, from("192.0.2.2"), 10s) == Renewal::uncounted);
  gate.pass(12s);
  CHECK(gate.admission->renew(first, from("192.0.2.1"), 10s) == Renewal::adopted);
}

TEST_CASE("a ticket that is called while its address is full is refused, and its slot goes to the next ticket") {
  Gate gate(2);
  gate.settings.max_sessions_per_address = 1;
  gate.admission->configure(gate.settings, {{"main", 5}});
  const auto leaves = gate.granted(gate.ask(from("192.0.2.9")));
  const auto other = gate.granted(gate.ask(from("192.0.2.8")));
  const auto full = gate.ticket(gate.ask(from("192.0.2.1")));
  const auto next = gate.ticket(gate.ask(from("192.0.2.2")));
  const auto renew = [&](access::SessionId id) {
    CHECK(gate.admission->renew(id, {.channel = "main"}, 10s) == Renewal::known);
  };
  // The address has its session by the time the ticket is called.
  gate.admission->release(leaves);
  gate.admission->release(other);
  gate.pass(100ms);
  const auto show = [&](const access::TicketClaim& ticket, std::string_view client) {
    return gate.admission->decide(from(client), &ticket, 1h);
  };
  CHECK_FALSE(gate.refusal(show(full, "192.0.2.1")).has_value());
  const auto watching = full.session;
  renew(watching);
  const auto late = gate.ticket(gate.ask(from("192.0.2.3")));
  CHECK(gate.is_granted(show(next, "192.0.2.2")));
  gate.admission->release(next.session);
  gate.pass(100ms);
  int refusals = 0;
  for (int i = 0; i < 20 && refusals < 10; ++i) {
    refusals +=
        gate.refusal(show(late, "192.0.2.1")) == DenyReason::too_many_sessions;  // its holder moved to the full address
    gate.pass(5s);
    renew(watching);
  }
  CHECK(refusals > 0);
  CHECK(gate.is_granted(gate.ask(from("192.0.2.4"))));
}

TEST_CASE("the account's oldest device leaves its address's slot to the newest") {
  Gate gate;
  gate.settings.max_sessions_per_account = 1;
  gate.settings.account_rule = access::AccountRule::take_over;
  gate.settings.max_sessions_per_address = 1;
  gate.open();
  const access::Visitor ann{.channel = "main", .account = "ann", .client = "192.0.2.1"};
  const auto first = gate.granted(gate.ask(ann));
  const auto second = gate.ask(ann);
  REQUIRE(gate.is_granted(second));
  CHECK(std::get<access::Granted>(second).replaced == std::vector<access::SessionId>{first});
}

TEST_CASE("a token used from many networks at once is logged, refused to the newest network or ended, as configured") {
  Gate gate;
  gate.settings.max_networks_per_session = 2;
  gate.settings.handover = 60s;
  const auto begin = [&](SharingRule rule) {
    gate.settings.sharing_rule = rule;
    gate.open();
    const auto id = gate.granted(gate.ask(on(1)));
    CHECK(gate.admission->renew(id, on(1), 1h) == Renewal::known);
    CHECK(gate.admission->renew(id, on(2), 1h) == Renewal::known);
    return id;
  };
  const auto renew = [&](access::SessionId id, std::uint32_t network) {
    return gate.admission->renew(id, on(network), 1h);
  };
  SUBCASE("the use is logged") {
    const auto id = begin(SharingRule::log);
    for (std::uint32_t network = 3; network < 50; ++network) CHECK(renew(id, network) == Renewal::known);
    CHECK(gate.metrics.scrape().find("tribune_access_shared_requests_total 47") != std::string::npos);
  }
  SUBCASE("the newest network is refused") {
    const auto id = begin(SharingRule::refuse);
    CHECK(renew(id, 3) == Renewal::shared);
    CHECK(renew(id, 1) == Renewal::known);
    gate.pass(59s);
    CHECK(renew(id, 1) == Renewal::known);
    CHECK(renew(id, 3) == Renewal::shared);
    gate.pass(1s);
    CHECK(renew(id, 3) == Renewal::known);  // the time of a hand-over has passed
    CHECK(renew(id, 2) == Renewal::shared);
    CHECK(renew(id, 0) == Renewal::known);  // an unknown network
  }
  SUBCASE("the session is ended") {
    const auto id = begin(SharingRule::end);
    CHECK(renew(id, 3) == Renewal::ended);
    CHECK(renew(id, 1) == Renewal::ended);
    CHECK(gate.admission->sessions() == 0);
  }
}

TEST_CASE("no address exceeds its limit, whatever newcomers, tickets, and returning and leaving sessions do") {
  constexpr std::size_t kMost = 3;
  Gate gate;
  gate.settings.max_sessions = 12;
  gate.settings.max_sessions_per_address = kMost;
  gate.open();
  std::mt19937 random(7);
  const auto any = [&](std::size_t below) { return static_cast<std::size_t>(random() % below); };
  const std::vector<std::string> addresses{"192.0.2.1", "192.0.2.2", "192.0.2.3",
                                           "192.0.2.4", "192.0.2.5", "192.0.2.6"};
  std::map<access::SessionId, std::size_t> watching;            // the address at which each was opened
  std::vector<std::pair<access::SessionId, std::size_t>> left;  // sessions whose tokens are still valid
  std::vector<std::pair<access::TicketClaim, std::size_t>> tickets;
  const auto on_decision = [&](const access::Decision& decision, std::size_t address) {
    if (const auto* granted = std::get_if<access::Granted>(&decision)) watching.emplace(granted->session, address);
    if (const auto* queued = std::get_if<access::Queued>(&decision); queued && queued->is_new)
      tickets.emplace_back(queued->ticket, address);
  };
  for (int step = 0; step < 20'000; ++step) {
    const auto address = any(addresses.size());
    const auto visitor = from(addresses[address]);
    switch (any(5)) {
      case 0: on_decision(gate.ask(visitor), address); break;
      case 1:
        if (!tickets.empty()) {
          const auto& [ticket, first] = tickets[any(tickets.size())];
          const auto at = any(4) == 0 ? address : first;  // some move
          on_decision(gate.admission->decide(from(addresses[at]), &ticket, 1h), at);
        }
        break;
      case 2:
        if (!watching.empty()) {
          const auto one = std::next(watching.begin(), static_cast<std::ptrdiff_t>(any(watching.size())));
          gate.admission->leave(one->first);
        }
        break;
      case 3:
        if (!left.empty()) {
          const auto id = left[any(left.size())].first;
          if (gate.admission->renew(id, visitor, 1h) == Renewal::adopted) watching.emplace(id, address);
        }
        break;
      default: {
        gate.clock.advance(1s);
        gate.admission->tick([&](access::SessionId id) {
          left.emplace_back(id, watching[id]);
          watching.erase(id);
        });
      }
    }
    std::map<std::size_t, std::size_t> counts;
    for (const auto& [id, at] : watching) ++counts[at];
    for (const auto& [at, count] : counts) REQUIRE(count <= kMost);
    REQUIRE(watching.size() == gate.admission->sessions());
    REQUIRE(watching.size() <= 12);
  }
  CHECK(left.size() > 30);  // ids, and thus the leaving sessions, are random: between 90 and 110
}
