#include "balancer/balancer_settings.h"

#include <doctest/doctest.h>

#include "config/settings.h"

using namespace tribune;
using namespace tribune::balancer;
using namespace std::chrono_literals;

namespace {

config::Schema::Outcome read_section(const std::string& section) {
  config::Schema schema;
  schema.add(balancer_section(), config::Presence::required);
  return schema.read("{\"balancer\":" + section + "}");
}

std::string problem_of(const std::string& section) {
  const auto outcome = read_section(section);
  REQUIRE_FALSE(outcome.settings);
  return outcome.problems.front().key + ": " + outcome.problems.front().text;
}

}  // namespace

TEST_CASE("a balancer needs a state directory; other settings have defaults") {
  const auto outcome = read_section(R"({"state_dir":"s"})");
  REQUIRE(outcome.settings);
  const auto& settings = outcome.settings->get<BalancerSettings>("balancer");
  CHECK(settings.nodes.empty());
  CHECK(settings.node_timeout == 1800ms);
  CHECK(settings.session_idle == 10s);
  CHECK(settings.direct_players == default_direct_players());
  CHECK(settings.origin.as_source_settings().first_answer == SourceSettings{}.first_answer);
  CHECK(problem_of("{}").find("state_dir") != std::string::npos);
}

TEST_CASE("every setting of the balancer is read") {
  const auto outcome = read_section(
      R"({"state_dir":"s","nodes":[{"id":"a","url":"http://a:1"},{"id":"b"}],"node_timeout":"3s","session_idle":"1s",
      "max_sessions":10,"direct_players":["My"],"origin":{"connect_timeout":"100ms","first_byte_timeout":"200ms","low_speed_window":"300ms",
      "low_speed_bytes":5,"total_timeout":"400ms","allow_special_addresses":true,"first_answer":"500ms","multivariant_age":"2s","media_look":"0s","max_waiting":6}})");
  REQUIRE(outcome.settings);
  const auto& settings = outcome.settings->get<BalancerSettings>("balancer");
  REQUIRE(settings.nodes.size() == 2);
  CHECK(settings.nodes[0].url == "http://a:1");
  CHECK(settings.nodes[1].url.empty());
  CHECK(settings.node_timeout == 3s);
  CHECK(settings.session_idle == 1s);
  CHECK(settings.max_sessions == 10);
  CHECK(settings.direct_players == std::vector<std::string>{"My"});
  const auto source = settings.origin.as_source_settings();
  CHECK(source.deadlines.connect == 100ms);
  CHECK(source.deadlines.first_byte == 200ms);
  CHECK(source.deadlines.low_speed_window == 300ms);
  CHECK(source.deadlines.low_speed_bytes == 5);
  CHECK(source.deadlines.total == 400ms);
  CHECK(source.allow_special_addresses);
  CHECK(source.first_answer == 500ms);
  CHECK(source.multivariant_age == 2s);
  CHECK(source.media_look == 0ms);
  CHECK(source.max_waiting == 6);
}

TEST_CASE("invalid balancer sections are refused with the key") {
  CHECK(problem_of(R"({"state_dir":"s","nodes":[{"id":"a"},{"id":"a"}]})").find("\"a\" is used twice") !=
        std::string::npos);
  CHECK(problem_of(R"({"state_dir":"s","nodes":[{"id":"a","url":"http://a/path/"}]})").find("balancer.nodes[0].url") !=
        std::string::npos);
  CHECK(problem_of(R"({"state_dir":"s","nodes":[{"id":"A b"}]})").find("balancer.nodes[0].id") != std::string::npos);
  CHECK(problem_of(R"({"state_dir":"s","nodes":[{"url":"http://a"}]})").find("balancer.nodes[0]") != std::string::npos);
  CHECK(problem_of(R"({"state_dir":"s","node_timeout":"1ms"})").find("balancer.node_timeout") != std::string::npos);
  CHECK(problem_of(R"({"state_dir":""})").find("balancer.state_dir") != std::string::npos);
}

TEST_CASE("records of twice as many sessions as allowed are kept, and of at least 65,536") {
  BalancerSettings settings;
  settings.max_sessions = 100'000;
  CHECK(settings.max_saved_sessions() == 200'000);
  settings.max_sessions = 10;
  CHECK(settings.max_saved_sessions() == 65'536);
}
