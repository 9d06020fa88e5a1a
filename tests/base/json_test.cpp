#include "base/json.h"

#include <doctest/doctest.h>

using namespace tribune::base;

TEST_CASE("a parsed value has its offset in the text") {
  const std::string_view text =
      "{\n  // a comment with \"quotes\"\n  \"a\": 12,\n  \"b\": [true, {\"c\": \"x\"}] /* end */\n}";
  const auto value = json::parse(text, {.comments = true});
  REQUIRE(value);
  CHECK(value->whole("a") == 12);
  const auto place = json::position_of(text, value->find("a")->offset);
  CHECK(place.line == 3);
  CHECK(place.column == 8);
  const auto& inner = value->find("b")->array[1];
  CHECK(text.substr(inner.offset, 4) == "{\"c\"");
  CHECK(text.substr(value->object[1].name_offset, 3) == "\"b\"");
  CHECK(text.substr(inner.find("c")->offset, 3) == "\"x\"");
}

TEST_CASE("comments are refused where they are not allowed") { CHECK_FALSE(json::parse("{} // x")); }

TEST_CASE("a syntax error has its offset") {
  const auto value = json::parse("{\"a\": 1,, }");
  REQUIRE_FALSE(value);
  CHECK(value.error().offset == 8);
}

TEST_CASE("a repeated name in an object is refused") {
  const auto value = json::parse("{\"a\":1,\"a\":2}");
  REQUIRE_FALSE(value);
  CHECK(value.error().offset == 7);
  CHECK(value.error().text.find("twice") != std::string::npos);
}

TEST_CASE("nesting, length and count are bounded") {
  CHECK_FALSE(json::parse(std::string(100, '[') + std::string(100, ']')));
  CHECK_FALSE(json::parse("[1,2,3,4]", {.max_values = 3}));
  CHECK_FALSE(json::parse("[1,2,3,4]", {.max_bytes = 5}));
  CHECK(json::parse(std::string(20, '[') + std::string(20, ']')));
}

TEST_CASE("half of a surrogate pair is refused, in values and in names") {
  for (const auto* text :
       {R"(["\udc00"])", R"(["\ud800"])", R"(["a\udfffb"])", R"(["\ud800\ud800"])", R"({"\udc00":1})"}) {
    CAPTURE(text);
    CHECK_FALSE(json::parse(text).has_value());
  }
  const auto pair = json::parse(R"(["\ud83d\ude00","\ud7ff"])");  // the second is the last character before surrogates
  REQUIRE(pair.has_value());
  CHECK(pair->array[0].string == "\xf0\x9f\x98\x80");
  CHECK(pair->array[1].string == "\xed\x9f\xbf");
}

TEST_CASE("text that is not UTF-8 is refused") { CHECK_FALSE(json::parse("[\"\xff\"]")); }

TEST_CASE("every kind of value is read") {
  const auto value = json::parse(R"([null,false,-3,2.5,"a\u00e9",18446744073709551615])");
  REQUIRE(value);
  CHECK(value->array[0].is(json::Kind::null));
  CHECK(value->array[1].is(json::Kind::boolean));
  CHECK(value->array[2].integer == -3);
  CHECK(value->array[3].number == 2.5);
  CHECK(value->array[4].string == "a\u00e9");
  CHECK(value->array[5].is(json::Kind::number));
}

TEST_CASE("numbers are read to the nearest double, and those that are too large are refused") {
  const auto read = [](const std::string& text) {
    const auto value = json::parse("[" + text + "]");
    REQUIRE_MESSAGE(value, text);
    return value->array[0];
  };
  CHECK(read("9223372036854775807").integer == INT64_MAX);
  CHECK(read("-9223372036854775808").integer == INT64_MIN);
  CHECK(read("-0").integer == 0);
  CHECK(read("9223372036854775808").is(json::Kind::number));
  CHECK(read("9223372036854775808").number == 9223372036854775808.0);
  CHECK(read("0.1").number == 0.1);
  CHECK(read("1E+2").number == 100);
  CHECK(read("-1.7976931348623157e308").number == -1.7976931348623157e308);
  CHECK(read("0e-52").number == 0);  // RapidJSON's own conversion mishandles it
  CHECK(read("1e-400").number == 0);
  CHECK(read("0." + std::string(400, '0') + "1e5").number == 0);
  CHECK(read("123" + std::string(200, '0') + "e-202").number == doctest::Approx(1.23));
  for (const auto* text :
       {"1e309", "-1e309", "99999999999999990000000000000000000000000000000000000000000000000000000e260"}) {
    const auto value = json::parse("[" + std::string(text) + "]");
    REQUIRE_FALSE(value);
    CHECK(value.error().offset == 1);
  }
  for (const auto* text : {"01", "1.", ".5", "+1", "1e", "0x1", "NaN", "Infinity", "--1"})
    CHECK_FALSE(json::parse("[" + std::string(text) + "]"));
}

TEST_CASE("the writer's output is parsed to the same values") {
  json::Writer w;
  w.begin_object()
      .member("text", "a \"b\"\n\x01")
      .member("n", std::int64_t{-5})
      .key("list")
      .begin_array()
      .value(true)
      .value(1.5)
      .null();
  w.end_array().member("u", std::uint64_t{7}).end_object();
  const auto value = json::parse(w.text());
  REQUIRE(value);
  CHECK(value->text("text") == "a \"b\"\n\x01");
  CHECK(value->whole("n") == -5);
  CHECK(value->find("list")->array.size() == 3);
  CHECK(value->whole("u") == 7);
}

TEST_CASE("bytes that are not UTF-8 are replaced when written") {
  for (const std::string bad : {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"})
    CHECK(json::parse("[\"" + json::escape(bad) + "\"]"));
  CHECK(json::escape("\u00e9") == "\u00e9");
}
