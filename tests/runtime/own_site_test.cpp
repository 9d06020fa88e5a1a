#include "runtime/own_site.h"

#include <doctest/doctest.h>

#include "support/fake_exchange.h"

using namespace tribune;
using namespace tribune::runtime;
using namespace tribune::test;
using http::Method;

namespace {

const HostNames kHosts({"Admin.Example"}, {"127.0.0.1:9080", "192.0.2.7:9080", "[2001:db8::7]:9080"});

http::Request asked(Method method, std::string host, http::Headers headers = {}) {
  auto request = request_of(method, "/limits", std::move(headers));
  request.host = std::move(host);
  return request;
}

int status_of(const http::Request& request) {
  const auto refusal = refusal_of_site(request, kHosts);
  return refusal ? refusal->status : 200;
}

}  // namespace

TEST_CASE("a listener for operators accepts its addresses, loopback, localhost and the configured names as hosts") {
  for (const auto* host :
       {"127.0.0.1:9080", "127.0.0.1", "127.8.8.8:1", "[::1]:9080", "localhost", "LocalHost:9080", "admin.example",
        "ADMIN.example:443", "192.0.2.7:9080", "[2001:db8::7]:9080", "[2001:DB8:0::7]", ""})
    CHECK_MESSAGE(kHosts.has(host), host);
  for (const auto* host : {"evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "evil.example:9080",
                           "admin.example.evil", "192.0.2.8", "[2001:db8::8]", "2130706433", "127.1", "0x7f000001",
                           "admin.example@evil", "a b", "[::1", ":9080"})
    CHECK_MESSAGE(!kHosts.has(host), host);
}

TEST_CASE("a listener on every address accepts each address as host, and no unknown name") {
  const HostNames four({}, {"0.0.0.0:9080"}), six({}, {"[::]:9080"}), any = HostNames::with_any_address({"tv.example"});
  for (const auto* hosts : {&four, &six, &any}) {
    CHECK(hosts->has("198.51.100.4:9080"));
    CHECK(hosts->has("[2001:db8::9]:9080"));
    CHECK_FALSE(hosts->has("evil.example"));
  }
  CHECK(any.has("tv.example:8080"));
}

TEST_CASE("a request with an unknown host gets 421") {
  CHECK(status_of(asked(Method::get, "evil.example")) == 421);
  CHECK(status_of(asked(Method::put, "evil.example:9080", {{"Content-Type", "application/json"}})) == 421);
  CHECK(status_of(asked(Method::get, "localhost:9080")) == 200);
}

TEST_CASE("a request that a browser sends for a page of another site is refused") {
  for (const auto* site : {"cross-site", "same-site", "Cross-Site", "anything"})
    CHECK_MESSAGE(status_of(asked(Method::get, "localhost:9080", {{"Sec-Fetch-Site", site}})) == 403, site);
  for (const auto* site : {"none", "same-origin"})
    CHECK_MESSAGE(status_of(asked(Method::get, "localhost:9080", {{"sec-fetch-site", site}})) == 200, site);
  for (const auto* origin : {"http://evil.example", "http://localhost", "http://localhost:9081", "https://localhost",
                             "null", "", "http://localhost:9080.evil.example"}) {
    CHECK_MESSAGE(status_of(asked(Method::get, "localhost:9080", {{"Origin", origin}})) == 403, origin);
    CHECK_MESSAGE(status_of(asked(Method::options, "localhost:9080", {{"Origin", origin}})) == 403, origin);
  }
  CHECK(status_of(asked(Method::get, "localhost:9080", {{"Origin", "http://localhost:9080"}})) == 200);
  CHECK(status_of(asked(Method::get, "localhost:9080",
                        {{"Origin", "http://localhost:9080"}, {"Origin", "http://evil.example"}})) == 403);
  CHECK(status_of(asked(Method::get, "localhost:9080", {{"Referer", "http://evil.example/page"}})) == 403);
  CHECK(status_of(asked(Method::get, "localhost:9080", {{"Referer", "http://localhost:9080/page"}})) == 200);
}

TEST_CASE("behind a proxy that ends TLS a page is of the same site when its host is the same") {
  CHECK(status_of(asked(Method::get, "admin.example", {{"Origin", "https://admin.example"}})) == 200);
  CHECK(status_of(asked(Method::get, "admin.example:443", {{"Origin", "https://admin.example"}})) == 200);
  CHECK(status_of(asked(Method::get, "admin.example:9080", {{"Origin", "https://admin.example"}})) == 403);
}

TEST_CASE("a write must have the content type JSON, which browsers send to another site only with permission") {
  for (const auto method : {Method::post, Method::put, Method::patch, Method::del, Method::other}) {
    CHECK(status_of(asked(method, "localhost")) == 415);
    CHECK(status_of(asked(method, "localhost", {{"Content-Type", "text/plain"}})) == 415);
    CHECK(status_of(asked(method, "localhost", {{"Content-Type", "application/x-www-form-urlencoded"}})) == 415);
    CHECK(status_of(asked(method, "localhost", {{"Content-Type", "text/plain; a=application/json"}})) == 415);
    CHECK(status_of(asked(method, "localhost",
                          {{"Content-Type", "application/json"}, {"Content-Type", "text/plain"}})) == 415);
    CHECK(status_of(asked(method, "localhost", {{"Content-Type", "Application/JSON ; charset=utf-8"}})) == 200);
  }
  CHECK(status_of(asked(Method::get, "localhost")) == 200);
  CHECK(status_of(asked(Method::head, "localhost")) == 200);
}
