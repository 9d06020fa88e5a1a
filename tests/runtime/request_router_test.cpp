#include "runtime/request_router.h"

#include <doctest/doctest.h>

#include "base/metrics.h"
#include "support/fake_exchange.h"

using namespace tribune;
using namespace tribune::runtime;
using namespace tribune::test;
using http::Method;

namespace {

/// A router with two routes, and a worker whose loop does not run.
struct RouterFixture {
  base::SystemClock clock;
  base::Log log{{base::LogLevel::off, base::LogFormat::text, "", false}};
  base::Metrics metrics;
  net::EventLoop loop;
  std::unique_ptr<net::HttpClient> client = net::HttpClient::make(loop, clock, log, metrics);
  Worker worker{0, loop, *client};
  std::string matched;
  RequestRouter door{{
      {{Method::get}, "/media/{channel}/{path...}", keep("media")},
      {{Method::post}, "/items", keep("post")},
      {{Method::get, Method::options}, "/own", keep("own")},
  }};

  RouteHandler keep(std::string name) {
    return [this, name](Worker&, std::unique_ptr<net::Exchange> exchange, const http::PathParameters& values) {
      matched = name + ":" + std::string(values["channel"]) + ":" + std::string(values["path"]);
      exchange->reply({});
    };
  }
  std::shared_ptr<RecordedResponse> ask(Method method, std::string path) {
    const auto answered = std::make_shared<RecordedResponse>();
    matched.clear();
    door.dispatch(worker, std::make_unique<FakeExchange>(request_of(method, std::move(path)), answered));
    REQUIRE(answered->response);
    return answered;
  }
};

}  // namespace

TEST_CASE("a request goes to the handler of its route, with the parameters of its path") {
  RouterFixture fixture;
  CHECK(fixture.ask(Method::get, "/media/demo/a/b.ts")->status() == 200);
  CHECK(fixture.matched == "media:demo:a/b.ts");
}

TEST_CASE("HEAD goes to the handler of GET") {
  RouterFixture fixture;
  CHECK(fixture.ask(Method::head, "/media/demo/x")->status() == 200);
  CHECK(fixture.matched == "media:demo:x");
}

TEST_CASE("a path without a route is a 404 problem") {
  RouterFixture fixture;
  const auto answer = fixture.ask(Method::get, "/nothing");
  CHECK(answer->status() == 404);
  CHECK(answer->header("Content-Type") == "application/problem+json");
}

TEST_CASE("a method that the path does not support is a 405 problem that lists the supported ones") {
  RouterFixture fixture;
  const auto answer = fixture.ask(Method::del, "/media/demo/x");
  CHECK(answer->status() == 405);
  CHECK(answer->header("Allow") == "GET, HEAD, OPTIONS");
  CHECK(fixture.ask(Method::get, "/items")->header("Allow") == "OPTIONS, POST");
  CHECK(fixture.ask(Method::other, "/items")->status() == 405);
}

TEST_CASE("OPTIONS is answered for every path with the fields of a CORS preflight") {
  RouterFixture fixture;
  for (const auto* path : {"/media/demo/x", "/items", "/nothing"}) {
    const auto answer = fixture.ask(Method::options, path);
    CHECK(answer->status() == 204);
    CHECK_FALSE(answer->header("Allow").empty());
    CHECK(answer->header("Access-Control-Allow-Methods") == answer->header("Allow"));
    CHECK(answer->header("Access-Control-Allow-Headers").find("Range") != std::string::npos);
    CHECK(answer->header("Access-Control-Allow-Headers").find("Authorization") != std::string::npos);
    CHECK(answer->header("Access-Control-Max-Age") == "86400");
    CHECK(answer->body().empty());
  }
  CHECK(fixture.ask(Method::options, "/items")->header("Allow") == "OPTIONS, POST");
}

TEST_CASE("a route with the method OPTIONS receives it") {
  RouterFixture fixture;
  CHECK(fixture.ask(Method::options, "/own")->status() == 200);
  CHECK(fixture.matched == "own::");
}

TEST_CASE("a listener without CORS answers OPTIONS without CORS fields") {
  const auto answer =
      RequestRouter::unrouted(http::Method::options, http::Router::MethodNotAllowed{"GET, HEAD"}, false);
  CHECK(answer.status == 204);
  CHECK(answer.headers.first("Allow") == "GET, HEAD, OPTIONS");
  for (const auto& field : answer.headers.all()) CHECK_FALSE(field.name.starts_with("Access-Control"));
}
