#include "http/structured_field.h"

#include <doctest/doctest.h>

#include <vector>

using namespace tribune::http;
using Type = DictionaryMember::Type;

namespace {

std::vector<DictionaryMember> members_of(std::string_view text) {
  std::vector<DictionaryMember> members;
  DictionaryReader reader(text);
  for (DictionaryMember member; reader.next(member);) members.push_back(member);
  return members;
}

bool is_valid(std::string_view text) {
  DictionaryReader reader(text);
  for (DictionaryMember member; reader.next(member);) continue;
  return reader.is_valid();
}

}  // namespace

TEST_CASE("a dictionary's members have a key, a type and a value") {
  const auto members =
      members_of(R"( a=-5, b=1.5;p="x";q ,c="y\"z",d=tok/en,	e=:aGk=:,f=?0,g,h=(1 "2");x=1,i=@-7,j=%"f%c3%bc")");
  const std::vector<std::pair<Type, std::string_view>> expected{
      {Type::integer, "-5"},     {Type::decimal, "1.5"},
      {Type::string, R"(y\"z)"}, {Type::token, "tok/en"},
      {Type::bytes, "aGk="},     {Type::boolean, "0"},
      {Type::boolean, "1"},      {Type::inner_list, R"((1 "2"))"},
      {Type::date, "-7"},        {Type::display_string, "f%c3%bc"}};
  REQUIRE(members.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(members[i].key == std::string(1, static_cast<char>('a' + i)));
    CHECK(members[i].type == expected[i].first);
    CHECK(members[i].value == expected[i].second);
  }
  CHECK_FALSE(members[6].has_value);
}

TEST_CASE("every violation of the grammar makes the dictionary invalid") {
  for (const char* valid : {"", "  ", "a", "a;b;c=1", "*a-b.c_d=1", "a=999999999999999", "a=()", "a,a"})
    CHECK_MESSAGE(is_valid(valid), valid);
  for (const char* invalid : {"A",
                              "1",
                              "a,",
                              ",a",
                              "a b",
                              "a = 1",
                              "a=",
                              "a=1 b",
                              "a=1.",
                              "a=1.2345",
                              "a=1234567890123.1",
                              "a=1234567890123456",
                              "a=-",
                              "a=\"",
                              "a=\"\\x\"",
                              "a=\"\x01\"",
                              "a=\"\xc3\xbc\"",
                              "a=?2",
                              "a=:x",
                              "a=(1",
                              "a=(1\"2\")",
                              "a=@1.5",
                              "a=@",
                              "a=%\"%C3%BC\"",
                              "a=%\"%c3\"",
                              "a=%x",
                              "a;B",
                              "a;b=",
                              "a=1;",
                              "a\t=1"})
    CHECK_MESSAGE(!is_valid(invalid), invalid);
}

TEST_CASE("a number is valid up to its maximum of digits, and not with one more") {
  for (const std::string sign : {"", "-"}) {
    const auto a = "a=" + sign;
    for (const int digits : {1, 12, 15}) CHECK(is_valid(a + std::string(static_cast<std::size_t>(digits), '9')));
    CHECK_FALSE(is_valid(a + std::string(16, '9')));
    for (const char* decimal : {"0.0", "999999999999.9", "1.99", "1.999", "999999999999.999"})
      CHECK(is_valid(a + decimal));
    for (const char* decimal : {"9999999999999.9", "1.9999", "1.", ".1", "1..1", "1.1.1"})
      CHECK_FALSE(is_valid(a + decimal));
  }
}

TEST_CASE("the members before and after a malformed one are read") {
  const auto members = members_of("a=1,Key=2,b=6e2f-x,c=3");
  REQUIRE(members.size() == 4);
  CHECK(members[1].type == Type::malformed);
  CHECK(members[1].key == "Key");
  CHECK(members[2].type == Type::malformed);
  CHECK(members[2].value == "6e2f-x");
  CHECK(members[3].value == "3");
  CHECK(members_of("a=1,b=\"unended,c=2").size() == 2);
}

TEST_CASE("items, parameters and dictionaries are written") {
  CHECK(string_item("a\"b\\c\n\xc3") == R"("a\"b\\c??")");
  CHECK(token_or_string("a/b") == "a/b");
  CHECK(token_or_string("7up") == "\"7up\"");
  CHECK(StructuredFieldWriter::dictionary().flag("a").integer("b", -5).token("c", "x").take() == "a,b=-5,c=x");
  CHECK(StructuredFieldWriter::parameters_of("n").string("k", "v").token_or_string("d", "a b").take() ==
        R"(n;k="v";d="a b")");
}
