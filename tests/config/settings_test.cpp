#include "config/settings.h"

#include <doctest/doctest.h>

#include "config/example.h"

using namespace tribune;
using namespace std::chrono_literals;

namespace {

/// The problems as lines, or "" when the text is valid.
std::string problems_of(std::string_view text) {
  const auto outcome = test::schema().read(text);
  CHECK(outcome.settings.has_value() == outcome.problems.empty());
  return config::describe(outcome.problems, "f", text);
}

std::string in_front(const std::string& members) {
  return R"({"front": {"listen": ["127.0.0.1:80"], )" + members + "}}";
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a valid file gives its values, and defaults for absent keys") {
  const auto outcome = test::schema().read(R"(
    // a comment
    {
      "front": {
        "listen": ["127.0.0.1:80", "[::1]:81"], /* another */
        "open": true,
        "colour": "red",
        "limits": { "idle": "2s", "head": 2048 },
        "nodes": [{ "id": "a", "weight": 2 }, { "id": "b" }]
      }
    })");
  REQUIRE(outcome.settings);
  const auto& server = outcome.settings->get<test::Server>("front");
  CHECK(server.listen == std::vector<std::string>{"127.0.0.1:80", "[::1]:81"});
  CHECK(server.colour == test::Colour::red);
  CHECK(server.limits.idle == 2s);
  CHECK(server.limits.head == 2048);
  CHECK(server.limits.count == 100);
  REQUIRE(server.nodes.size() == 2);
  CHECK(server.nodes[0].weight == 2);
  CHECK(server.nodes[1].weight == 1.5);
}

TEST_CASE("an absent section with defaults is present, and an absent optional one is not") {
  const auto outcome = test::schema().read(in_front(R"("open": true)"));
  REQUIRE(outcome.settings);
  CHECK(outcome.settings->get<test::Other>("other").text == "as it was");
  CHECK_FALSE(outcome.settings->has("spare"));
  const auto with = test::schema().read(R"({"front": {"listen": []}, "spare": {"text": "new"}})");
  REQUIRE(with.settings);
  CHECK(with.settings->get<test::Other>("spare").text == "new");
}

TEST_CASE("all problems are listed at once, each with file, line, column and key, in the order of the file") {
  CHECK(problems_of("{\n  \"front\": {\n    \"lisen\": [],\n    \"open\": 1,\n    \"limits\": {\"idle\": \"5\"}\n  "
                    "},\n  \"frnt\": {}\n}") ==
        "f:2:12: front.listen: is required but missing; its type is list of text: addresses\n"
        "f:3:5: front.lisen: is not a known key; did you mean \"listen\"?\n"
        "f:4:13: front.open: 1 is not allowed; must be true or false\n"
        "f:5:24: front.limits.idle: \"5\" is not allowed; must be a duration such as \"200ms\", \"2s\", \"5min\" or "
        "\"1h\", from 10ms to 1h\n"
        "f:7:3: frnt: is not a known key; did you mean \"front\"?\n");
}

TEST_CASE("a key of a former version is refused with its present name") {
  CHECK(problems_of("{\"front\": {\"listen\": [],\n  \"spares\": {\"anything\": 1}}}") ==
        "f:2:3: front.spares: is now the section spare\n");
}

TEST_CASE("a key of a former version is not suggested for a misspelt one") {
  const auto problems = problems_of(in_front(R"("sparez": 1)"));
  CHECK(contains(problems, "front.sparez: is not a known key"));
  CHECK_FALSE(contains(problems, "spares"));
}

TEST_CASE("a missing required section is reported with its name") {
  CHECK(problems_of("{}") == "f:1:1: front: is required but missing; add the section: \"front\": { … }\n");
}

TEST_CASE("values that are out of range, of another type or in another form are refused with the allowed values") {
  CHECK(contains(problems_of(in_front(R"("limits": {"idle": "1ms"})")),
                 "front.limits.idle: \"1ms\" is not allowed; must be a duration"));
  CHECK(contains(problems_of(in_front(R"("limits": {"head": "2MiB"})")), "from 1KiB to 1MiB"));
  CHECK(contains(problems_of(in_front(R"("limits": {"head": -1})")), "front.limits.head: -1 is not allowed"));
  CHECK(contains(problems_of(in_front(R"("limits": {"count": 1.5})")),
                 "front.limits.count: 1.5 is not allowed; must be a whole number from 1 to 1000"));
  CHECK(contains(problems_of(in_front(R"("limits": [])")), "front.limits: must be an object"));
  CHECK(contains(problems_of(in_front(R"("nodes": {})")), "front.nodes: must be a list of objects"));
  CHECK(contains(problems_of(in_front(R"("colour": "green")")), "\"green\" is not allowed; must be one of red, blue"));
  CHECK(contains(problems_of(in_front(R"("nodes": [{"id": "a"}, {"id": "B"}])")),
                 "front.nodes[1].id: \"B\" is not allowed"));
  CHECK(contains(problems_of(in_front(R"("nodes": [{"id": "a", "weight": 11}])")),
                 "front.nodes[0].weight: 11 is not allowed"));
  CHECK(contains(problems_of(R"({"front": {"listen": ["here", "127.0.0.1:1", 5]}})"),
                 "front.listen[0]: \"here\" is not allowed"));
  CHECK(contains(problems_of(R"({"front": {"listen": ["here", "127.0.0.1:1", 5]}})"),
                 "front.listen[2]: 5 is not allowed; must be text"));
}

TEST_CASE("a secret is never part of a message") {
  const auto problems = problems_of(in_front(R"("token": "abc")"));
  CHECK(contains(problems, "front.token: this text is not allowed; must be more than 3 characters"));
  CHECK_FALSE(contains(problems, "abc"));
}

TEST_CASE("a long value is truncated in a message") {
  const auto problems = problems_of(in_front("\"colour\": \"" + std::string(5000, 'x') + "\""));
  CHECK(contains(problems, std::string(80, 'x') + "…\""));
  CHECK(problems.size() < 300);
}

TEST_CASE("a repeated key is refused") {
  CHECK(contains(problems_of(in_front(R"("open": true, "open": true)")), "twice"));
  CHECK(contains(problems_of(R"({"front": {"listen": []}, "front": {"listen": []}})"), "twice"));
}

TEST_CASE("a text that is not JSON is refused with its position") {
  CHECK(problems_of("{\n  \"front\": }").starts_with("f:2:"));
  CHECK(contains(problems_of("[]"), "f:1:1: a configuration is one JSON object"));
  CHECK_FALSE(problems_of("").empty());
}

TEST_CASE("a rule about a section runs when its values are valid, and is reported at the section") {
  CHECK(problems_of("{\n\"front\": {\"listen\": [], \"open\": false, \"nodes\": [{\"id\": \"a\"}]}}") ==
        "f:2:10: front: a closed front has no nodes\n");
}

TEST_CASE("a rule about the whole file runs when every section is valid, and is reported at its own position") {
  auto schema = test::schema();
  schema.check("spare", [](const config::Settings& settings) {
    return settings.has("spare") ? std::string("spare it") : std::string();
  });
  const std::string_view text = "{\"front\": {\"listen\": []},\n \"spare\": {}}";
  const auto outcome = schema.read(text);
  CHECK(config::describe(outcome.problems, "f", text) == "f:2:11: spare: spare it\n");
  CHECK(schema.read("{\"front\": {\"listen\": []}}").settings);
}
