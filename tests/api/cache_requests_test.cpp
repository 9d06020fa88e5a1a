#include "api/cache_requests.h"

#include <doctest/doctest.h>

#include <string>

using namespace tribune;
using namespace tribune::api;

namespace {

http::Request with_body(std::string body) {
  http::Request request;
  request.client = "192.0.2.7";
  request.body = std::move(body);
  return request;
}

http::Request with_query(std::string query) {
  http::Request request;
  request.client = "192.0.2.7";
  request.query = std::move(query);
  return request;
}

}  // namespace

TEST_CASE("a session's report has at least one member and valid names of caches") {
  http::Request request;
  request.client = "192.0.2.7";
  request.body =
      R"({"gone":"stadium","cache":"city","reachable":[{"receipt":"k1.abc","rtt_ms":2.5},{"receipt":"k1.def","rtt_ms":null}]})";
  const auto made = session_report(request);
  REQUIRE(made);
  CHECK(made->action == contracts::AccessRequest::Action::report);
  CHECK(made->gone == "stadium");
  CHECK(made->cache == "city");
  CHECK(made->receipts == "k1.abc:2.500,k1.def");
  CHECK(contracts::access_request_from_json(contracts::to_json(*made)) == *made);
  for (const auto* bad : {"", "[]", R"({})", R"({"gone":""})", R"({"gone":"A B"})", R"({"gone":"a","pass":"x"})",
                          R"({"reachable":{}})", R"({"reachable":[1]})", R"({"reachable":[{"receipt":"a:1"}]})",
                          R"({"reachable":[{"receipt":"a","rtt_ms":60000}]})"}) {
    CAPTURE(bad);
    request.body = bad;
    CHECK_FALSE(session_report(request));
  }
}

TEST_CASE("an empty list of reachable caches is no statement in a session's report, as before") {
  const auto made = session_report(with_body(R"({"gone":"stadium","reachable":[]})"));
  REQUIRE(made);
  CHECK_FALSE(made->reaches_none);
  CHECK_FALSE(session_report(with_body(R"({"reachable":[]})")));
  CHECK_FALSE(session_report(with_body(R"({"channel":"demo","gone":"a"})")));
}

TEST_CASE("a report of pings has the members of a session's report, a channel and possibly a session") {
  const auto made = pings_report(with_body(
      R"({"channel":"demo","session":"k1.a.b","reachable":[{"receipt":"k1.abc","rtt_ms":2.5}],"gone":"city"})"));
  REQUIRE(made);
  CHECK(made->action == contracts::AccessRequest::Action::report);
  CHECK(made->channel == "demo");
  CHECK(made->pass == "k1.a.b");
  CHECK(made->receipts == "k1.abc:2.500");
  CHECK(made->gone == "city");
  CHECK(made->client == "192.0.2.7");
  CHECK_FALSE(made->reaches_none);
  CHECK(contracts::access_request_from_json(contracts::to_json(*made)) == *made);
}

TEST_CASE("an empty list of reachable caches means that no cache answered, unless the report names one") {
  const auto none = pings_report(with_body(R"({"channel":"demo","reachable":[]})"));
  REQUIRE(none);
  CHECK(none->reaches_none);
  CHECK(none->pass.empty());
  CHECK(contracts::access_request_from_json(contracts::to_json(*none)) == *none);
  const auto named = pings_report(with_body(R"({"channel":"demo","reachable":[],"cache":"city"})"));
  REQUIRE(named);
  CHECK_FALSE(named->reaches_none);
  const auto gone = pings_report(with_body(R"({"channel":"demo","gone":"city"})"));
  REQUIRE(gone);
  CHECK_FALSE(gone->reaches_none);
}

TEST_CASE("an invalid report of pings is refused, and the error does not repeat the session") {
  for (const std::string bad :
       {"", "[]", "{}", R"({"channel":"demo"})", R"({"reachable":[]})", R"({"channel":"A B","reachable":[]})",
        R"({"channel":1,"reachable":[]})", R"({"channel":"demo","session":"secret-7"})",
        R"({"channel":"demo","session":"","reachable":[]})", R"({"channel":"demo","session":null,"reachable":[]})",
        R"({"channel":"demo","reachable":null})", R"({"channel":"demo","reachable":[{"receipt":"a:1"}]})",
        R"({"channel":"demo","session":"secret-7","reachable":[1]})", R"({"channel":"demo","gone":"a","pass":"x"})"}) {
    CAPTURE(bad);
    const auto made = pings_report(with_body(bad));
    REQUIRE_FALSE(made);
    CHECK(made.error().text.find("secret-7") == std::string::npos);
  }
  const auto long_session = R"({"channel":"demo","reachable":[],"session":")" + std::string(kMaxPassBytes + 1, 'x');
  CHECK_FALSE(pings_report(with_body(long_session + "\"}")));
}

TEST_CASE("a list of caches for a channel is requested with its id and nothing else") {
  CHECK_FALSE(names_channel(with_query("")));
  CHECK_FALSE(names_channel(with_query("v=2")));
  REQUIRE(names_channel(with_query("channel=demo")));
  const auto made = cache_list_request(with_query("channel=demo"));
  REQUIRE(made);
  CHECK(made->action == contracts::AccessRequest::Action::caches);
  CHECK(made->channel == "demo");
  CHECK(made->client == "192.0.2.7");
  CHECK(contracts::access_request_from_json(contracts::to_json(*made)) == *made);
  for (const auto* bad :
       {"channel=", "channel", "channel=A%20B", "channel=demo&channel=demo", "v=2&channel=demo", "channel=demo&"}) {
    CAPTURE(bad);
    CHECK(names_channel(with_query(bad)));
    CHECK_FALSE(cache_list_request(with_query(bad)));
  }
}
