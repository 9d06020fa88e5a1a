#include "api/request_body.h"

#include <doctest/doctest.h>

#include <string>

#include "support/fake_exchange.h"

using namespace tribune;

namespace {

http::Request request_with(std::string body) {
  auto request = test::request_of(http::Method::post, "/api/v1/auth/login");
  request.body = std::move(body);
  return request;
}

/// What is wrong with the body, whose members are a name and a note; empty when nothing is.
std::string error_of(std::string text) {
  api::RequestBody body(request_with(std::move(text)));
  body.text("name", 1, 8);
  body.optional_text("note", 8);
  body.optional_flag("flag");
  const auto wrong = body.finish();
  return wrong ? wrong->en : "";
}

}  // namespace

TEST_CASE("the members of a body are read, and null is as good as absent") {
  api::RequestBody body(request_with(R"({"name":"\u0430nn","note":null,"flag":true})"));
  CHECK(body.text("name", 1, 8) == "\u0430nn");
  CHECK(body.optional_text("note", 8).empty());
  CHECK(body.optional_flag("flag"));
  CHECK_FALSE(body.finish());
}

TEST_CASE("a body that is wrong is refused with its first error") {
  CHECK(error_of("").find("not valid JSON") != std::string::npos);
  CHECK(error_of(R"(["name"])") == "the body must be a JSON object");
  CHECK(error_of(R"({"note":"x"})") == "the member \"name\" is missing");
  CHECK(error_of(R"({"name":null})") == "the member \"name\" is missing");
  CHECK(error_of(R"({"name":""})") == "\"name\" must be a text of 1 to 8 bytes");
  CHECK(error_of(R"({"name":5})") == "\"name\" must be a text of 1 to 8 bytes");
  CHECK(error_of(R"({"name":"123456789"})") == "\"name\" must be a text of 1 to 8 bytes");
  CHECK(error_of(R"({"name":"a","note":"123456789"})") == "\"note\" must be a text of 0 to 8 bytes");
  CHECK(error_of(R"({"name":"a","flag":1})") == "\"flag\" must be true or false");
  CHECK(error_of(R"({"name":"a","more":1})") == "unknown member \"more\"");
  CHECK(error_of(R"({"name":"a","name":"b"})").find("occurs twice") != std::string::npos);
  CHECK(error_of(R"({"name":[[[[["a"]]]]]})").find("nested deeper") != std::string::npos);
  CHECK(error_of(R"({"name":"a"})" + std::string(api::RequestBody::kMaxBodyBytes, ' ')).find("bytes") !=
        std::string::npos);
}

TEST_CASE("a text with a surrogate of its own is refused") {
  CHECK(error_of(R"({"name":"\ud83d\ude00"})").empty());
  CHECK_FALSE(error_of(R"({"name":"\ud83d"})").empty());
  CHECK(error_of(R"({"name":"\ude00"})") == "\"name\" has an escape that is no character");
  CHECK(error_of(R"({"name":"a","note":"\udfff"})") == "\"note\" has an escape that is no character");
  CHECK_FALSE(error_of("{\"name\":\"\xff\"}").empty());
}
