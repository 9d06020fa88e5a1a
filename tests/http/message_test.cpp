#include "http/message.h"

#include <doctest/doctest.h>

#include <memory>

using namespace tribune;
using http::Headers;
using http::Method;

TEST_CASE("field names are compared without case and keep their order") {
  Headers headers{{"Via", "1.1 a"}, {"X-One", "1"}};
  headers.add("via", "1.1 b");
  CHECK(headers.first("VIA") == "1.1 a");
  CHECK(headers.joined("Via") == "1.1 a, 1.1 b");
  CHECK(headers.count("vIa") == 2);
  CHECK_FALSE(headers.first("Vi").has_value());
  CHECK_FALSE(headers.joined("Viaa").has_value());
}

TEST_CASE("setting a field replaces all of its lines, at the position of the first one") {
  Headers headers{{"A", "1"}, {"B", "2"}, {"a", "3"}};
  headers.set("a", "4");
  REQUIRE(headers.all().size() == 2);
  CHECK(headers.all()[0].value == "4");
  CHECK(headers.all()[1].name == "B");
  headers.set("C", "5");
  CHECK(headers.first("c") == "5");
  headers.remove("B");
  CHECK_FALSE(headers.first("b").has_value());
}

TEST_CASE("a field may be set from its own value") {
  Headers headers{{"A", "one and long enough to leave the small buffer"}, {"A", "two"}};
  headers.set(headers.all()[1].name, *headers.first("A"));
  CHECK(headers.count("A") == 1);
  CHECK(headers.first("A") == "one and long enough to leave the small buffer");
}

TEST_CASE("method names are case-sensitive") {
  for (const auto method :
       {Method::get, Method::head, Method::options, Method::post, Method::put, Method::patch, Method::del}) {
    CHECK(http::method_of(http::to_string(method)) == method);
  }
  CHECK(http::method_of("get") == Method::other);
  CHECK(http::method_of("TRACE") == Method::other);
}

TEST_CASE("a body has its length, whatever its representation") {
  CHECK(http::length_of({}) == 0);
  CHECK(http::length_of(std::string("abc")) == 3);
  CHECK(http::length_of(base::BytesSlice{base::share("abcdef"), 1, 4}) == 4);
  CHECK(http::length_of(base::FileSlice{nullptr, 10, 5'000'000'000}) == 5'000'000'000);
}

TEST_CASE("every status that Tribune sends has its phrase") {
  CHECK(http::reason_phrase(200) == "OK");
  CHECK(http::reason_phrase(413) == "Content Too Large");
  CHECK(http::reason_phrase(599) == "Unknown");
}
