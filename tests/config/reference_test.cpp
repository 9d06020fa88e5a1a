#include <doctest/doctest.h>

#include "config/example.h"
#include "config/settings.h"

using namespace tribune;

namespace {

bool reference_contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("the reference has a line for every key, with type, allowed values, default and meaning") {
  const auto page = test::schema().reference();
  CHECK(reference_contains(page, "| `listen` | list of text | addresses | *required* | Where it listens. |\n"));
  CHECK(reference_contains(page, "| `open` | true or false |  | `true` | Whether it is open. |\n"));
  CHECK(reference_contains(page, "| `colour` | choice | red, blue | `\"blue\"` | Its colour. |\n"));
  CHECK(reference_contains(page, "| `head` | bytes | 1KiB to 1MiB | `\"16KiB\"` | How long a head may be. |\n"));
}

TEST_CASE("nested sections have headings of their own, linked from their parent") {
  const auto page = test::schema().reference();
  CHECK(reference_contains(page, "\n## `front`\n"));
  CHECK(reference_contains(page, "\n### `front.limits`\n"));
  CHECK(reference_contains(page, "\n### `front.nodes`\n"));
  CHECK(reference_contains(page, "| [`limits`](#frontlimits) | section |"));
}

TEST_CASE("neither the reference nor a sample shows a key of a former version") {
  const auto schema = test::schema();
  CHECK_FALSE(reference_contains(schema.reference(), "spares"));
  CHECK_FALSE(reference_contains(schema.sample({"", R"({"front": {}})", true}), "spares"));
}

TEST_CASE("a vertical bar in a text does not break the table") {
  CHECK(reference_contains(test::schema().reference(), "| How long \\| it may idle. |"));
}

TEST_CASE("a sample passes the parser of the same tables, and keeps its given values") {
  const auto schema = test::schema();
  for (const bool every_key : {false, true}) {
    const auto text =
        schema.sample({"For tests.\nSecond line.",
                       R"({"front": {"nodes": [{"id": "a"}, {"id": "b"}], "limits": {"count": 7}}})", every_key});
    CAPTURE(text);
    CHECK(text.starts_with("// For tests.\n// Second line.\n{\n"));
    const auto outcome = schema.read(text);
    REQUIRE_MESSAGE(outcome.settings, config::describe(outcome.problems, "sample", text));
    const auto& server = outcome.settings->get<test::Server>("front");
    CHECK(server.nodes.size() == 2);
    CHECK(server.limits.count == 7);
    CHECK(server.listen == std::vector<std::string>{"127.0.0.1:80"});
    CHECK(reference_contains(text, "// Where it listens."));
  }
}

TEST_CASE("a sample with every key has the other keys at their defaults, as comments") {
  const auto schema = test::schema();
  const std::string values = R"({"front": {}})";
  CHECK(reference_contains(schema.sample({"", values, true}), "// \"colour\": \"blue\","));
  CHECK(reference_contains(schema.sample({"", values, true}), "// \"idle\": \"75s\","));
  CHECK_FALSE(reference_contains(schema.sample({"", values, false}), "colour"));
}

TEST_CASE("a sample keeps an unknown key, so that its check reports it") {
  const auto text = test::schema().sample({"", R"({"front": {"colr": "red"}})", false});
  CHECK_FALSE(test::schema().read(text).settings);
}
