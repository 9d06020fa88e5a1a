#include "http/conditional.h"

#include <doctest/doctest.h>

#include "http/conditional_response.h"
#include "http/date.h"

using namespace tribune;
using http::evaluate;
using http::Headers;
using http::Precondition;
using http::Validators;

namespace {

constexpr auto kBefore = "Sun, 06 Nov 1994 08:49:36 GMT";
constexpr auto kAt = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr auto kAfter = "Sun, 06 Nov 1994 08:49:38 GMT";

Validators tagged(std::string etag) { return {std::move(etag), http::parse_date(kAt)}; }

}  // namespace

TEST_CASE("entity tags compare as in the table of RFC 9110 section 8.8.3.2") {
  struct Row {
    std::string_view a, b;
    bool strong, weak;
  };
  for (const auto& [a, b, strong, weak] :
       {Row{R"(W/"1")", R"(W/"1")", false, true}, Row{R"(W/"1")", R"(W/"2")", false, false},
        Row{R"(W/"1")", R"("1")", false, true}, Row{R"("1")", R"("1")", true, true}}) {
    CHECK(http::etags_match_strongly(a, b) == strong);
    CHECK(http::etags_match_weakly(a, b) == weak);
  }
  CHECK_FALSE(http::etags_match_weakly("", ""));
  CHECK_FALSE(http::etags_match_strongly("", ""));
}

TEST_CASE("If-None-Match with a matching tag means not modified, regardless of dates") {
  const auto current = tagged(R"("x")");
  CHECK(evaluate({{"If-None-Match", R"("x")"}}, current) == Precondition::not_modified);
  CHECK(evaluate({{"If-None-Match", R"(W/"x")"}}, current) == Precondition::not_modified);
  CHECK(evaluate({{"If-None-Match", R"("a", "b,c" ,"x")"}}, current) == Precondition::not_modified);
  CHECK(evaluate({{"If-None-Match", R"("a")"}, {"If-None-Match", R"("x")"}}, current) == Precondition::not_modified);
  CHECK(evaluate({{"If-None-Match", "*"}}, current) == Precondition::not_modified);
  CHECK(evaluate({{"If-None-Match", R"("y")"}}, current) == Precondition::proceed);
  CHECK(evaluate({{"If-None-Match", R"("y")"}, {"If-Modified-Since", kAfter}}, current) == Precondition::proceed);
  CHECK(evaluate({{"If-None-Match", R"("x)"}}, current) == Precondition::proceed);
  CHECK(evaluate({{"If-None-Match", "x"}}, current) == Precondition::proceed);
  CHECK(evaluate({{"If-None-Match", R"("x")"}}, Validators{}) == Precondition::proceed);
}

TEST_CASE("If-Modified-Since applies only without If-None-Match") {
  const auto current = tagged("");
  CHECK(evaluate({{"If-Modified-Since", kAt}}, current) == Precondition::not_modified);
  CHECK(evaluate({{"If-Modified-Since", kAfter}}, current) == Precondition::not_modified);
  CHECK(evaluate({{"If-Modified-Since", kBefore}}, current) == Precondition::proceed);
  CHECK(evaluate({{"If-Modified-Since", "yesterday"}}, current) == Precondition::proceed);
  CHECK(evaluate({{"If-Modified-Since", kAfter}}, Validators{}) == Precondition::proceed);
}

TEST_CASE("fractions of a second do not make a file newer than its own date") {
  Validators current{"", *http::parse_date(kAt) + std::chrono::milliseconds{400}};
  CHECK(evaluate({{"If-Modified-Since", kAt}}, current) == Precondition::not_modified);
  CHECK(http::if_range_holds({{"If-Range", kAt}}, current));
}

TEST_CASE("If-Match needs a strong match, and If-Unmodified-Since a date that is not older") {
  const auto current = tagged(R"("x")");
  CHECK(evaluate({{"If-Match", R"("x")"}}, current) == Precondition::proceed);
  CHECK(evaluate({{"If-Match", "*"}}, current) == Precondition::proceed);
  CHECK(evaluate({{"If-Match", R"("y")"}}, current) == Precondition::failed);
  CHECK(evaluate({{"If-Match", R"(W/"x")"}}, current) == Precondition::failed);
  CHECK(evaluate({{"If-Match", R"(W/"x")"}}, tagged(R"(W/"x")")) == Precondition::failed);
  CHECK(evaluate({{"If-Unmodified-Since", kBefore}}, current) == Precondition::failed);
  CHECK(evaluate({{"If-Unmodified-Since", kAt}}, current) == Precondition::proceed);
  CHECK(evaluate({{"If-Match", R"("x")"}, {"If-Unmodified-Since", kBefore}}, current) == Precondition::proceed);
  CHECK(evaluate({{"If-Match", R"("x")"}, {"If-None-Match", R"("x")"}}, current) == Precondition::not_modified);
  CHECK(evaluate({}, current) == Precondition::proceed);
}

TEST_CASE("with If-Range a range applies only to exactly that representation") {
  const auto current = tagged(R"("x")");
  CHECK(http::if_range_holds({}, current));
  CHECK(http::if_range_holds({{"If-Range", R"("x")"}}, current));
  CHECK_FALSE(http::if_range_holds({{"If-Range", R"("y")"}}, current));
  CHECK_FALSE(http::if_range_holds({{"If-Range", R"(W/"x")"}}, current));
  CHECK_FALSE(http::if_range_holds({{"If-Range", R"(W/"x")"}}, tagged(R"(W/"x")")));
  CHECK(http::if_range_holds({{"If-Range", kAt}}, current));
  CHECK_FALSE(http::if_range_holds({{"If-Range", kAfter}}, current));
  CHECK_FALSE(http::if_range_holds({{"If-Range", kAt}}, Validators{}));
  CHECK_FALSE(http::if_range_holds({{"If-Range", "junk"}}, current));
  CHECK_FALSE(http::if_range_holds({{"If-Range", R"("x")"}, {"If-Range", R"("x")"}}, current));
}

TEST_CASE("a document is not sent again to a client that has it, and not at all where If-Match names another one") {
  const auto decide = [](const Headers& request, http::Response& response) {
    response.headers = {{"Cache-Control", "no-cache"}, {"Vary", "Accept-Encoding"}, {"ETag", "\"one\""}};
    return http::is_decided_by_conditions(request, "\"one\"", response);
  };
  http::Response response;
  CHECK_FALSE(decide({}, response));
  CHECK_FALSE(decide({{"If-Match", "\"one\""}}, response));
  CHECK_FALSE(decide({{"If-None-Match", "\"two\""}}, response));
  CHECK(decide({{"If-None-Match", "W/\"one\""}}, response));
  CHECK(response.status == 304);
  CHECK(decide({{"If-Match", "\"two\""}, {"If-None-Match", "\"one\""}}, response));
  CHECK(response.status == 412);
  CHECK(response.headers.first("ETag") == "\"one\"");
  CHECK(response.headers.first("Vary") == "Accept-Encoding");
  CHECK(response.headers.first("Cache-Control") == "no-store");
}
