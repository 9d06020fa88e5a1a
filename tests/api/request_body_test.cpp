#include "api/request_body.h"

#include <doctest/doctest.h>

using namespace tribune;

namespace {

/// The error of a body that must have the member "login" of 1 to 8 bytes, and may have "device" and "everywhere".
std::string error_of(std::string text, std::string* login = nullptr) {
  http::Request request;
  request.body = std::move(text);
  api::RequestBody body(request);
  const auto read = body.text("login", 1, 8);
  body.optional_text("device", 4);
  body.optional_flag("everywhere");
  if (login) *login = read;
  const auto wrong = body.finish();
  return wrong ? wrong->en : "";
}

}  // namespace

TEST_CASE("members are read, and null is an absent member") {
  std::string login;
  CHECK(error_of(R"({"login":"\u0430b","device":null,"everywhere":true})", &login).empty());
  CHECK(login ==
        "\xd0\xb0"
        "b");
}

TEST_CASE("the first thing that is wrong with a body is named") {
  const std::vector<std::pair<std::string, std::string>> table{
      {"", "not valid JSON"},
      {"{", "not valid JSON"},
      {"[]", "must be a JSON object"},
      {"\"login\"", "must be a JSON object"},
      {"{}", "\"login\" is missing"},
      {R"({"login":null})", "\"login\" is missing"},
      {R"({"login":""})", "\"login\" must be a text of 1 to 8 bytes"},
      {R"({"login":"123456789"})", "\"login\" must be a text of 1 to 8 bytes"},
      {R"({"login":5})", "\"login\" must be a text"},
      {R"({"login":"a","device":"12345"})", "\"device\" must be a text of 0 to 4 bytes"},
      {R"({"login":"a","everywhere":1})", "\"everywhere\" must be true or false"},
      {R"({"login":"a","Login":"b"})", "unknown member \"Login\""},
      {R"({"login":"a","a\u0001\n\"b":1})", R"(unknown member "a\u0001\n\"b")"},
      {R"({"login":"a","\u0001":1,"\u0001":2})", R"("\u0001" occurs twice)"},
      {R"({"login":"a","login":"b"})", "not valid JSON"},
      {R"({"login":"\ud800"})", "not valid JSON"},
      {"{\"login\":\"\xff\"}", "not valid JSON"},
      {R"({"login":"a"} x)", "not valid JSON"},
      {R"({"login":"a","x":99999999999999999999999999})", "unknown member \"x\""},
      {R"({"login":"a","x":1e999})", "not valid JSON"},
      {R"({"login":[[[[[1]]]]]})", "not valid JSON"},
      {"{\"login\":\"" + std::string(api::RequestBody::kMaxBodyBytes, 'x') + "\"}", "more than 8192 bytes"},
  };
  for (const auto& row : table) {
    CAPTURE(row.first);
    const auto error = error_of(row.first);
    CHECK_MESSAGE(error.find(row.second) != std::string::npos, error);
  }
}

TEST_CASE("a body with too many values is refused") {
  std::string text = R"({"login":"a","x":[0)";
  for (int i = 0; i < 70; ++i) text += ",0";
  CHECK(error_of(text + "]}").find("not valid JSON") != std::string::npos);
}

TEST_CASE("an escaped surrogate without its other half is refused") {
  CHECK(error_of(R"({"login":"\ud83d\ude00"})").empty());
  CHECK(error_of(R"({"login":"\ude00"})").find("half of a surrogate pair") != std::string::npos);
  CHECK(error_of(R"({"login":"a","device":"\udfff"})").find("half of a surrogate pair") != std::string::npos);
}
