#include "balancer/settings/operator_rules.h"

#include <doctest/doctest.h>

#include "balancer/access_http/overload_drill_handler.h"
#include "base/ip_address.h"

using namespace tribune;
using namespace tribune::balancer;

namespace {

constexpr auto kToken = "operator-token-of-the-test";

OperatorRules rules() {
  OperatorRules rules;
  rules.token = kToken;
  rules.networks = *base::PrefixList::parse({"10.1.0.0/16", "10.0.0.9", "127.0.0.0/8"});
  rules.trusted_proxies = *base::PrefixList::parse({"10.0.0.0/16"});
  rules.hosts = runtime::HostNames::with_any_address({"ops.example"});
  return rules;
}

http::Request asked(std::string client, std::uint16_t port, http::Headers headers = {},
                    std::string host = "ops.example") {
  http::Request request;
  request.path = "/access_queue_switch";
  request.client = std::move(client);
  request.client_port = port;
  request.headers = std::move(headers);
  request.host = std::move(host);
  return request;
}

constexpr std::uint16_t kNamedByProxy = 0;  // the port of a client that a trusted proxy's X-Forwarded-For names

}  // namespace

TEST_CASE("without a configured network and a token no client is an operator, not even on this machine") {
  CHECK(OperatorRules{}.refusal(asked("127.0.0.1", 4711, {}, "localhost")) == "not_from_an_operator_network");
  CHECK(OperatorRules{}.refusal(asked("127.0.0.1", 4711, {{"Authorization", "Bearer "}})) ==
        "not_from_an_operator_network");
}

TEST_CASE("the token identifies an operator from anywhere") {
  const http::Headers token{{"Authorization", std::string("Bearer ") + kToken},
                            {"X-Forwarded-For", "1.2.3.4"},
                            {"Origin", "https://desk.example"}};
  CHECK(rules().refusal(asked("203.0.113.1", 4711, token, "elsewhere.example")).empty());
  CHECK(rules().refusal(asked("203.0.113.1", 4711, {{"Authorization", "Bearer another"}})) ==
        "not_from_an_operator_network");
}

TEST_CASE("an operator network is compared with the address that a trusted proxy names") {
  CHECK(rules()
            .refusal(asked("10.1.2.3", kNamedByProxy, {{"X-Forwarded-For", "10.1.2.3"}, {"Via", "1.1 edge"}}))
            .empty());
  CHECK(rules().refusal(asked("203.0.113.1", kNamedByProxy, {{"X-Forwarded-For", "203.0.113.1"}})) ==
        "not_from_an_operator_network");
  CHECK(rules().refusal(asked("10.0.0.9", 4711)) == "a_proxy_named_nobody");
}

TEST_CASE("a list of addresses that names only trusted proxies, or a proxy behind the client, vouches for nobody") {
  const auto refusal = [](const std::string& client, const std::string& list) {
    return rules().refusal(asked(client, kNamedByProxy, {{"X-Forwarded-For", list}}));
  };
  CHECK(refusal("10.0.0.9", "10.0.0.9") == "a_proxy_named_nobody");
  CHECK(refusal("10.0.0.9", "10.0.0.9, 10.0.0.10") == "a_proxy_named_nobody");
  CHECK(refusal("10.1.2.3", "203.0.113.1, 10.1.2.3") == "behind_an_unknown_proxy");
  CHECK(refusal("10.1.2.3", "unknown, 10.1.2.3, 10.0.0.9") == "behind_an_unknown_proxy");
  CHECK(refusal("10.1.2.3", "10.1.2.3:4711, 10.0.0.9") == "");
}

TEST_CASE("a request that may be a browser's is confirmed, unless the browser names its cause, or it has the token") {
  const auto needs = [](http::Headers fields) {
    return rules().needs_confirmation(asked("127.0.0.1", 4711, std::move(fields)));
  };
  const http::Header browser{"User-Agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0"};
  // <img referrerpolicy="no-referrer"> over plain http.
  CHECK(needs({browser, {"Accept", "image/avif,*/*"}, {"Accept-Language", "en-US"}}));
  CHECK(needs({browser}));
  CHECK(needs({{"User-Agent", "AppleCoreMedia/1.0.0"}}));
  CHECK(needs({{"User-Agent", "an unknown program"}}));
  CHECK(needs({{"User-Agent", "curl/8.5.0"}, {"Accept-Language", "en"}}));
  CHECK(needs({browser, {"Sec-Fetch-Site", "none"}, {"Sec-Purpose", "prefetch"}}));
  CHECK_FALSE(needs({browser, {"Sec-Fetch-Site", "none"}}));
  CHECK_FALSE(needs({browser, {"Sec-Fetch-Site", "same-origin"}}));
  CHECK_FALSE(needs({browser, {"Referer", "http://ops.example/desk"}}));
  CHECK_FALSE(needs({{"User-Agent", "curl/8.5.0"}, {"Accept", "*/*"}}));
  CHECK_FALSE(needs({{"User-Agent", "Wget/1.21"}}));
  CHECK_FALSE(needs({{"User-Agent", "python-requests/2.31"}, {"Accept-Encoding", "gzip"}}));
  CHECK_FALSE(needs({}));
  CHECK_FALSE(needs({browser, {"Authorization", std::string("Bearer ") + kToken}}));
}

TEST_CASE("a request through an untrusted proxy is not an operator's") {
  CHECK(rules().refusal(asked("127.0.0.1", 4711)).empty());
  for (const auto* field : {"Forwarded", "Via", "X-Forwarded-For", "x-forwarded-host", "X-Forwarded-Proto", "X-Real-IP",
                            "CF-Connecting-IP", "True-Client-IP", "X-Client-IP", "X-Envoy-External-Address",
                            "Fastly-Client-IP", "CDN-Loop", "X-Forwarded-Port"})
    CHECK_MESSAGE(rules().refusal(asked("127.0.0.1", 4711, {{field, "127.0.0.1"}})) == "behind_an_unknown_proxy",
                  field);
}

TEST_CASE("a request that a page of another site causes is not an operator's") {
  for (const auto& field : {http::Header{"Sec-Fetch-Site", "cross-site"},
                            {"Sec-Fetch-Site", "same-site"},
                            {"Origin", "http://evil.example"},
                            {"Origin", "null"},
                            {"Referer", "http://evil.example/"},
                            {"Origin", "http://ops.example:81"}})
    CHECK_MESSAGE(rules().refusal(asked("127.0.0.1", 4711, {field})) == "cross_site", field.value);
  CHECK(rules().refusal(asked("127.0.0.1", 4711, {{"Sec-Fetch-Site", "none"}})).empty());
  CHECK(rules()
            .refusal(
                asked("127.0.0.1", 4711, {{"Sec-Fetch-Site", "same-origin"}, {"Referer", "http://ops.example/page"}}))
            .empty());
}

TEST_CASE("a request with a foreign host name that resolves to this server is not an operator's") {
  CHECK(rules().refusal(asked("127.0.0.1", 4711, {}, "rebound.evil.example:8080")) == "foreign_host");
  for (const auto* host : {"localhost:8080", "127.0.0.1:8080", "192.0.2.4", "[2001:db8::1]:8080", "ops.example"})
    CHECK_MESSAGE(rules().refusal(asked("127.0.0.1", 4711, {}, host)).empty(), host);
}

TEST_CASE("a drill is toggled only without parameters, and unknown, repeated or empty ones are refused") {
  const access::Drill off{}, on{.is_closed = true};
  CHECK(drill_order("", off)->drill == on);
  CHECK(drill_order("", on)->drill == off);
  CHECK(drill_order("state=off", on)->drill == off);
  CHECK(drill_order("state=on&channel=demo", off)->channel == "demo");
  for (const auto* query : {"stat=off", "State=off", "state=off&x", "state=off&state=on", "channel=demo",
                            "channel=demo&channel=demo&state=on", "channel=&state=on", "x", "&", "state", "=",
                            "sessions=1&session=2", "st%61te=off"})
    CHECK_MESSAGE(!drill_order(query, on), query);
}
