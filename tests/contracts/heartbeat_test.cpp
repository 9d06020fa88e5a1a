#include "contracts/heartbeat.h"

#include <doctest/doctest.h>

using namespace tribune;
using namespace tribune::contracts;

namespace {

Heartbeat example_heartbeat() {
  Heartbeat h;
  h.node = "stadium";
  h.public_url = "http://127.0.0.1:8081";
  h.version = "0.1.0";
  h.run = "abc";
  h.sequence = 3;
  h.sent_unix_ms = 1'750'000'000'123;
  h.healthy = false;
  h.reason = "disk \"full\"\n";
  h.sent_mbps = 123.5;
  h.channel_mbps = {{"main", 100.25}, {"other", 0.5}};
  h.origin_answers = {{"main", 12, 0}, {"other", 3, 7}};
  h.player_networks = 9;
  h.starved_networks = 4;
  h.capacity_mbps = 10'000;
  h.connections = 17;
  h.sessions = 12;
  h.objects = 99;
  h.stored_bytes = 1ll << 40;
  h.max_bytes = 1ll << 41;
  h.disk_free_bytes = 5;
  h.experience = {100, 9, 8, 7, 50, 6, 5, 4};
  return h;
}

}  // namespace

TEST_CASE("the origin's answers are two counts by channel, for a bounded number of channels") {
  contracts::Heartbeat h;
  h.node = "stadium";
  h.run = "r1";
  h.sent_unix_ms = 1;
  const auto with = [&](const std::string& value) {
    auto text = to_json(h);
    text.insert(text.size() - 1, ",\"origin_answers\":" + value);
    return heartbeat_from_json(text).has_value();
  };
  CHECK(with("{}"));
  CHECK(with(R"({"demo":[0,0]})"));
  for (const auto* wrong : {"[]", "1", R"({"demo":[1]})", R"({"demo":[1,2,3]})", R"({"demo":[1,-1]})",
                            R"({"demo":[-1,1]})", R"({"demo":[1,0.5]})", R"({"demo":7})", R"({"No id":[1,1]})"}) {
    CAPTURE(std::string(wrong));
    CHECK_FALSE(with(wrong));
  }
  for (std::size_t i = 0; i < contracts::kMaxAnsweredChannels; ++i)
    h.origin_answers.push_back({"c" + std::to_string(i), 1, 1});
  CHECK(heartbeat_from_json(to_json(h)));
  h.origin_answers.push_back({"more", 1, 1});
  CHECK_FALSE(heartbeat_from_json(to_json(h)));
}

TEST_CASE("rates of channels are bounded, and an absent list differs from an empty one") {
  auto h = example_heartbeat();
  h.channel_mbps.reset();
  CHECK_FALSE(heartbeat_from_json(to_json(h))->channel_mbps);
  h.channel_mbps.emplace();
  CHECK(heartbeat_from_json(to_json(h))->channel_mbps->empty());
  h.channel_mbps = {{std::string(64, 'c'), 1}};
  for (std::size_t i = 1; i < contracts::kMaxHeartbeatChannels; ++i)
    h.channel_mbps->emplace_back(std::string(60, 'c') + std::to_string(i), 12345.123456789);
  CHECK(to_json(h).size() < contracts::kMaxHeartbeatBytes);
  CHECK(heartbeat_from_json(to_json(h)));
  h.channel_mbps->emplace_back("one-too-many", 1);
  CHECK_FALSE(heartbeat_from_json(to_json(h)));
  for (const auto& wrong : std::vector<std::pair<std::string, double>>{{"No Id", 1}, {"main", -1}}) {
    h.channel_mbps = {wrong};
    CHECK_FALSE(heartbeat_from_json(to_json(h)));
  }
}

TEST_CASE("a heartbeat is read back as the value that was written") {
  const auto read = heartbeat_from_json(to_json(example_heartbeat()));
  REQUIRE(read);
  CHECK(*read == example_heartbeat());
}

TEST_CASE("without a count of the origin's statuses, none is counted") {
  const auto read = heartbeat_from_json(
      R"({"node":"a","run":"r","sent_unix_ms":1,"requests":10,"failures":5,"failures_by_origin":4})");
  REQUIRE(read);
  CHECK(read->experience.failures_by_origin == 4);
  CHECK(read->experience.failures_by_origin_status == 0);
}

TEST_CASE("a heartbeat needs node, run and time, and unknown members are ignored") {
  CHECK(heartbeat_from_json(R"({"node":"a","run":"r","sent_unix_ms":1,"future":{"x":[1]}})"));
  CHECK_FALSE(heartbeat_from_json(R"({"run":"r","sent_unix_ms":1})"));
  CHECK_FALSE(heartbeat_from_json(R"({"node":"a","sent_unix_ms":1})"));
  CHECK_FALSE(heartbeat_from_json(R"({"node":"a","run":"r"})"));
}

TEST_CASE("heartbeats out of range or of another type are refused") {
  for (const std::string member :
       {R"("sent_mbps":-1)", R"("sent_mbps":"1")", R"("connections":-1)", R"("connections":1.5)", R"("healthy":1)",
        R"("public_url":"ftp://x")", R"("public_url":"http://x/../path")", R"("public_url":"http://x?q")",
        R"("public_url":"javascript:x")", R"("node":"../x")", R"("node":7)"}) {
    CAPTURE(member);
    const auto read = heartbeat_from_json(R"({"run":"r","sent_unix_ms":1,)" +
                                          std::string(member.find("node") == 1 ? "" : R"("node":"a",)") + member + "}");
    REQUIRE_FALSE(read);
    CHECK(read.error().kind == base::ErrorKind::invalid_input);
  }
  CHECK_FALSE(heartbeat_from_json(""));
  CHECK_FALSE(heartbeat_from_json("[]"));
  CHECK_FALSE(heartbeat_from_json(std::string(kMaxHeartbeatBytes + 1, ' ')));
  CHECK_FALSE(heartbeat_from_json(std::string(10'000, '[')));
}

TEST_CASE("listed numbers are a member of a heartbeat and of its response, and forged ones are refused") {
  const ListedNumbers numbers{{"demo", {"abc123", 59'553, 4}}, {"news", {"e", 0, 0}}};
  Heartbeat h;
  h.node = "stadium";
  h.run = "r";
  h.sent_unix_ms = 1;
  CHECK_FALSE(heartbeat_from_json(to_json(h))->listed_numbers);
  h.listed_numbers = numbers;
  CHECK(heartbeat_from_json(to_json(h)).value() == h);

  const auto map = R"({"version":"1","channels":[]})";
  const auto plain = numbers_from_answer(heartbeat_answer(map, {}));
  REQUIRE(plain);
  CHECK(plain->listed.empty());
  CHECK_FALSE(plain->wanted);
  const auto read = numbers_from_answer(heartbeat_answer(map, {}, std::nullopt, "", {}, {numbers, true}));
  REQUIRE(read);
  CHECK(read->listed == numbers);
  CHECK(read->wanted);
  const std::string large = std::to_string(kLargestListedNumber + 1);
  for (const std::string& wrong : {std::string("[]"), std::string(R"({"demo":7})"),
                                   std::string(R"({"../a":{"epoch":"e","next_msn":1,"discontinuity":0}})"),
                                   std::string(R"({"demo":{"epoch":"","next_msn":1,"discontinuity":0}})"),
                                   std::string(R"({"demo":{"epoch":"e","next_msn":-1,"discontinuity":0}})"),
                                   R"({"demo":{"epoch":"e","next_msn":)" + large + R"(,"discontinuity":0}})",
                                   R"({"demo":{"epoch":"e","next_msn":1,"discontinuity":)" + large + "}}"}) {
    CAPTURE(wrong);
    CHECK_FALSE(numbers_from_answer("{\"listed_numbers\":" + wrong + "}"));
    CHECK_FALSE(heartbeat_from_json(R"({"node":"stadium","run":"r","sent_unix_ms":1,"listed_numbers":)" + wrong + "}"));
  }
}

TEST_CASE("the largest message of listed numbers is read") {
  ListedNumbers numbers;
  for (std::size_t i = 0; i < kMaxListedNumbers + 5; ++i)
    numbers[std::string(60, 'a') + std::to_string(1'000 + i)] = {std::string(16, 'e'), kLargestListedNumber, 9};
  Heartbeat h;
  h.node = "stadium";
  h.run = "r";
  h.sent_unix_ms = 1;
  h.listed_numbers = numbers;
  const auto text = to_json(h);
  CHECK(text.size() < kMaxHeartbeatBytes);
  const auto read = heartbeat_from_json(text);
  REQUIRE(read);
  CHECK(read->listed_numbers->size() == kMaxListedNumbers);
}
