#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "access/address_counts.h"
#include "access/admission_fixture.h"
#include "config/settings.h"

using namespace tribune;
using namespace tribune::test;
using access::DenyReason;
using Renewal = access::Admission::Renewal;

namespace {

access::Visitor at_address(std::string_view client, std::string_view channel = "main") {
  return {.channel = channel, .client = client};
}

std::uint64_t hash_of(std::string_view client) { return access::client_hash(at_address(client)); }

/// How many of `most` newcomers from the address are admitted before the first refusal.
int admitted_from(Gate& gate, std::string_view client, int most, std::string_view channel = "main") {
  for (int i = 0; i < most; ++i) {
    const auto decision = gate.ask(at_address(client, channel));
    if (gate.refusal(decision) == DenyReason::too_many_sessions) return i;
    REQUIRE(gate.is_granted(decision));
  }
  return most;
}

void change(Gate& gate, const std::string& limits) { REQUIRE(gate.admission->change_limits(limits)); }

}  // namespace

TEST_CASE("without a setting an address gets a fiftieth of the channel's limit, also when this changes at run time") {
  Gate gate;
  gate.settings.channels = {{"main", 5'000, access::kNoLimit, ""}};
  gate.open();
  CHECK(admitted_from(gate, "192.0.2.1", 5'000) == 100);
  CHECK(admitted_from(gate, "192.0.2.2", 5'000) == 100);
  change(gate, R"({"channels":{"main":{"max_sessions":10000}}})");
  CHECK(admitted_from(gate, "192.0.2.1", 5'000) == 100);
  change(gate, R"({"channels":{"main":{"max_sessions":1500}}})");
  CHECK(admitted_from(gate, "192.0.2.1", 5'000) == 0);
  CHECK(admitted_from(gate, "192.0.2.3", 5'000) == 30);
  CHECK(gate.admission->sessions() == 330);  // those above the lowered limit continue
  gate.admission->reset_limits();
  CHECK(admitted_from(gate, "192.0.2.3", 5'000) == 70);
}

TEST_CASE("each channel and the whole event give an address a part of their own") {
  Gate gate;
  gate.settings.max_sessions = 4'000;
  gate.settings.channels = {{"main", 2'500, access::kNoLimit, ""}};
  gate.open({{"main", 5}, {"other", 5}});
  CHECK(admitted_from(gate, "192.0.2.1", 5'000) == 50);
  CHECK(admitted_from(gate, "192.0.2.1", 5'000, "other") == 30);
  CHECK(admitted_from(gate, "192.0.2.2", 5'000, "other") == 80);
  change(gate, R"({"max_sessions":null})");
  CHECK(admitted_from(gate, "192.0.2.1", 5'000) == 0);
  CHECK(admitted_from(gate, "192.0.2.1", 100, "other") == 100);
}

TEST_CASE("a limit of traffic gives an address a part of the sessions that it has capacity for") {
  Gate gate;
  gate.settings.max_traffic_mbps = 10'000;
  gate.open({{"main", 5}});
  CHECK(admitted_from(gate, "192.0.2.1", 5'000) == 40);
  change(gate, R"({"max_sessions":1200})");
  CHECK(admitted_from(gate, "192.0.2.2", 5'000) == 24);
}

TEST_CASE("an address gets at least 20 sessions, and at most 20,000 where nothing is limited or the limit is large") {
  using access::part_of_address;
  CHECK(part_of_address(1, 20'000) == 20);
  CHECK(part_of_address(1'049, 20'000) == 20);
  CHECK(part_of_address(1'050, 20'000) == 21);
  CHECK(part_of_address(100'000, 20'000) == 2'000);
  CHECK(part_of_address(1'000'000'000, 20'000) == 20'000);
  CHECK(part_of_address(std::nullopt, 20'000) == 20'000);
  CHECK(part_of_address(0, 20'000) == 20'000);
  Gate gate;
  gate.open();
  CHECK(admitted_from(gate, "192.0.2.1", 20'005) == 20'000);
}

TEST_CASE("while a limit of 0 pauses the admission, viewers of one address wait instead of being refused") {
  Gate gate(1'000);
  CHECK(admitted_from(gate, "192.0.2.1", 1'000) == 20);
  change(gate, R"({"max_sessions":0})");
  CHECK(gate.is_queued(gate.ask(at_address("192.0.2.1"))));
}

TEST_CASE("the limits per address are read as a number or as auto, which is the default") {
  config::Schema schema;
  schema.add(access::access_section(), config::Presence::defaulted);
  const auto read = [&](const std::string& members) { return schema.read("{\"access\":{" + members + "}}"); };
  const auto settings_of = [&](const std::string& members) {
    const auto outcome = read(members);
    REQUIRE(outcome.settings);
    return outcome.settings->get<access::AccessSettings>("access");
  };
  CHECK_FALSE(settings_of("").max_sessions_per_address.has_value());
  CHECK_FALSE(settings_of(R"("max_sessions_per_address":"auto")").max_sessions_per_address.has_value());
  CHECK(settings_of(R"("max_sessions_per_address":0)").max_sessions_per_address == 0);
  CHECK(settings_of(R"("max_sessions_per_address":-1)").max_sessions_per_address == access::kNoLimit);
  CHECK(settings_of("").tickets_per_address() == 2'000);
  CHECK(settings_of(R"("max_queue":5000)").tickets_per_address() == 100);
  CHECK(settings_of(R"("max_queue":5000,"max_tickets_per_address":7)").tickets_per_address() == 7);
  for (const auto* wrong : {R"("max_sessions_per_address":-2)", R"("max_sessions_per_address":"none")",
                            R"("max_tickets_per_address":0)", R"("max_tickets_per_address":null)"}) {
    CAPTURE(wrong);
    const auto outcome = read(wrong);
    REQUIRE_FALSE(outcome.settings);
    CHECK(outcome.problems.front().key.find("per_address") != std::string::npos);
  }
}

TEST_CASE("a setting takes precedence over the limits in force, in the whole event") {
  Gate gate;
  gate.settings.max_sessions = 1'000;
  gate.settings.channels = {{"main", 1'000, access::kNoLimit, ""}};
  gate.settings.max_sessions_per_address = 45;
  gate.open({{"main", 5}, {"other", 5}});
  CHECK(admitted_from(gate, "192.0.2.1", 1'000) == 45);
  CHECK(admitted_from(gate, "192.0.2.1", 1'000, "other") == 0);
  gate.settings.max_sessions_per_address = access::kNoLimit;
  gate.admission->configure(gate.settings, {{"main", 5}, {"other", 5}});
  CHECK(admitted_from(gate, "192.0.2.1", 500) == 500);
}

TEST_CASE("an IPv6 /64 counts as one address, and a /48 gets 16 times as much as an address") {
  Gate gate;
  gate.settings.channels = {{"main", 1'000, access::kNoLimit, ""}};
  gate.open();
  const auto host = [](int network, int number) {
    return "2001:db8:7:" + std::to_string(network) + "::" + std::to_string(number);
  };
  CHECK(admitted_from(gate, host(1, 1), 100) == 20);
  CHECK(admitted_from(gate, host(1, 2), 100) == 0);
  for (int network = 2; network <= 16; ++network) CHECK(admitted_from(gate, host(network, 1), 100) == 20);
  CHECK(admitted_from(gate, host(17, 1), 100) == 0);
  CHECK(admitted_from(gate, "2001:db8:8::1", 100) == 20);
  CHECK(admitted_from(gate, "192.0.2.1", 100) == 20);
  CHECK(admitted_from(gate, "", 100) == 100);  // of a network that is configured as shared
  gate.pass(11s);
  CHECK(gate.admission->sessions() == 0);
  CHECK(admitted_from(gate, host(17, 1), 100) == 20);
}

TEST_CASE("a returning session counts for its address and /48, too") {
  Gate gate;
  gate.settings.max_sessions_per_address = 1;
  gate.open();
  const auto host = [](int network) { return "2001:db8:7:" + std::to_string(network) + "::1"; };
  const auto away = gate.granted(gate.ask(at_address(host(1))));
  gate.pass(12s);
  for (int network = 2; network <= 17; ++network) gate.granted(gate.ask(at_address(host(network))));
  CHECK(gate.admission->renew(away, at_address(host(1)), 10s) == Renewal::lapsed);
  CHECK(gate.admission->renew(away, at_address("2001:db8:8::1"), 10s) == Renewal::adopted);
}

TEST_CASE("waiting tickets of an address and of a /48 are limited to a part of the queue") {
  Gate gate;
  gate.settings.max_sessions = 0;
  gate.settings.max_queue = 1'500;
  gate.open();
  const auto waiting_from = [&](std::string_view client) {
    for (int i = 0; i < 1'000; ++i)
      if (gate.refusal(gate.ask(at_address(client))) == DenyReason::too_many_tickets) return i;
    return 1'000;
  };
  CHECK(waiting_from("192.0.2.1") == 30);
  for (int network = 1; network <= 16; ++network)
    CHECK(waiting_from("2001:db8:7:" + std::to_string(network) + "::1") == 30);
  CHECK(waiting_from("2001:db8:7:99::1") == 0);
  CHECK(waiting_from("2001:db8:8::1") == 30);
  gate.settings.max_tickets_per_address = 31;
  gate.admission->configure(gate.settings, {{"main", 5}});
  CHECK(waiting_from("192.0.2.1") == 1);
}

TEST_CASE("the account's oldest device leaves the slot of its /48 to the newest") {
  Gate gate;
  gate.settings.max_sessions_per_account = 1;
  gate.settings.account_rule = access::AccountRule::take_over;
  gate.settings.max_sessions_per_address = 1;
  gate.open();
  for (int network = 1; network <= 15; ++network)
    gate.granted(gate.ask(at_address("2001:db8:7:" + std::to_string(network) + "::1")));
  const auto ann = [](std::string_view client) {
    return access::Visitor{.channel = "main", .account = "ann", .client = client};
  };
  const auto first = gate.granted(gate.ask(ann("2001:db8:7:16::1")));
  CHECK(gate.refusal(gate.ask(at_address("2001:db8:7:17::1"))) == DenyReason::too_many_sessions);
  const auto second = gate.ask(ann("2001:db8:7:18::1"));
  REQUIRE(gate.is_granted(second));
  CHECK(std::get<access::Granted>(second).replaced == std::vector<access::SessionId>{first});
}

TEST_CASE("the hash of a client contains its IPv6 network, and never is that of a network") {
  CHECK(hash_of("") == 0);
  CHECK(hash_of("2001:db8:7:1::1") == hash_of("2001:db8:7:1:ffff::"));
  CHECK(hash_of("2001:db8:7:1::1") != hash_of("2001:db8:7:2::1"));
  CHECK(access::client_network(hash_of("2001:db8:7:1::1")) == access::client_network(hash_of("2001:db8:7:2::1")));
  CHECK(access::client_network(hash_of("2001:db8:7:1::1")) != access::client_network(hash_of("2001:db8:8:1::1")));
  for (const auto* client : {"192.0.2.1", "::ffff:192.0.2.1", "no address", "no:address"}) {
    CHECK(hash_of(client) != 0);
    CHECK(access::client_network(hash_of(client)) == 0);
  }
  for (int network = 0; network < 5'000; ++network) {
    const auto hash = hash_of("2001:db8:" + std::to_string(network) + "::1");
    REQUIRE(access::client_network(hash) != 0);
    REQUIRE(hash != access::client_network(hash));
  }
}
