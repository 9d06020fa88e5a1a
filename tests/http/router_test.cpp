#include "http/router.h"

#include <doctest/doctest.h>

#include <chrono>

using namespace tribune::http;

namespace {

constexpr std::size_t kNone = 999;

std::size_t route_of(const Router& router, std::string_view path, Method method = Method::get) {
  const auto outcome = router.match(method, path);
  const auto* match = std::get_if<Router::Match>(&outcome);
  return match == nullptr ? kNone : match->route;
}

std::string parameter(const Router& router, std::string_view path, std::string_view name) {
  const auto outcome = router.match(Method::get, path);
  return std::string(std::get<Router::Match>(outcome).parameters[name]);
}

/// The routes of the roles.
Router sample() {
  Router router;
  router.add({Method::get}, "/live/{channel}/{path...}", 1);
  router.add({Method::get}, "/live/{channel}/index.m3u8", 2);
  router.add({Method::get}, "/live/{channel}/~{session}/{path...}", 3);
  router.add({Method::get}, "/steering/{channel}", 4);
  router.add({Method::get}, "/media/{channel}/{epoch}/{path...}", 5);
  router.add({Method::get}, "/ping", 6);
  router.add({Method::post}, "/internal/v1/nodes/{id}", 7);
  router.add({Method::get, Method::del}, "/internal/v1/nodes/{id}", 8);
  router.add({Method::get}, "/", 9);
  router.add({Method::post}, "/api/v1/access", 10);
  router.add({Method::get}, "/api/v1/{thing}", 11);
  return router;
}

}  // namespace

TEST_CASE("the most literal pattern is matched, in any order of registration") {
  const auto router = sample();
  CHECK(route_of(router, "/live/ch1/index.m3u8") == 2);
  CHECK(route_of(router, "/live/ch1/~abc/video.m3u8") == 3);
  CHECK(route_of(router, "/live/ch1/video.m3u8") == 1);
  CHECK(route_of(router, "/live/ch1/~abc") == 1);
  CHECK(route_of(router, "/ping") == 6);
  CHECK(route_of(router, "/") == 9);
}

TEST_CASE("parameters have the values of the path without decoding") {
  const auto router = sample();
  CHECK(parameter(router, "/live/ch1/~abc/a/b/video%20x.m3u8", "channel") == "ch1");
  CHECK(parameter(router, "/live/ch1/~abc/a/b/video%20x.m3u8", "session") == "abc");
  CHECK(parameter(router, "/live/ch1/~abc/a/b/video%20x.m3u8", "path") == "a/b/video%20x.m3u8");
  CHECK(parameter(router, "/live/ch1/~abc/x", "other") == "");
  CHECK(parameter(router, "/media/c/e/1.ts", "path") == "1.ts");
}

TEST_CASE("a parameter is never empty") {
  const auto router = sample();
  CHECK(route_of(router, "/steering/") == kNone);
  CHECK(route_of(router, "/steering") == kNone);
  CHECK(route_of(router, "/live/ch1/") == kNone);
  CHECK(route_of(router, "/live/ch1/~/x") == 1);
  CHECK(route_of(router, "/ping/") == kNone);
  CHECK(route_of(router, "/ping/x") == kNone);
  CHECK(route_of(router, "") == kNone);
  CHECK(route_of(router, "ping") == kNone);
  CHECK(route_of(router, "*") == kNone);
}

TEST_CASE("a path deeper than any pattern is matched by a pattern that takes the rest") {
  const auto router = sample();
  std::string deep = "/media/c/e";
  for (int i = 0; i < 100; ++i) deep += "/d";
  CHECK(route_of(router, deep) == 5);
  CHECK(parameter(router, deep, "path").size() == 199);
  CHECK(route_of(router, "/steering/a" + deep) == kNone);
}

TEST_CASE("a longer literal prefix is more specific than a shorter one") {
  Router router;
  router.add({Method::get}, "/{any}", 1);
  router.add({Method::get}, "/a{rest}", 2);
  router.add({Method::get}, "/ab{rest}", 3);
  CHECK(route_of(router, "/abc") == 3);
  CHECK(route_of(router, "/ab") == 2);
  CHECK(route_of(router, "/a") == 1);
}

TEST_CASE("HEAD is routed like GET, unless it has a route of its own") {
  auto router = sample();
  CHECK(route_of(router, "/ping", Method::head) == 6);
  Router own;
  own.add({Method::head}, "/x", 1);
  own.add({Method::get}, "/x", 2);
  CHECK(route_of(own, "/x", Method::head) == 1);
  CHECK(route_of(own, "/x", Method::get) == 2);
}

TEST_CASE("a path with other methods returns these methods") {
  const auto router = sample();
  const auto outcome = router.match(Method::put, "/internal/v1/nodes/7");
  REQUIRE(std::holds_alternative<Router::MethodNotAllowed>(outcome));
  CHECK(std::get<Router::MethodNotAllowed>(outcome).allow == "GET, HEAD, OPTIONS, POST, DELETE");
  CHECK(route_of(router, "/internal/v1/nodes/7", Method::post) == 7);
  CHECK(route_of(router, "/internal/v1/nodes/7", Method::del) == 8);
  CHECK(std::holds_alternative<Router::NotFound>(router.match(Method::put, "/nowhere")));
  CHECK(std::holds_alternative<Router::MethodNotAllowed>(router.match(Method::other, "/ping")));
}

TEST_CASE("a less literal pattern is used for methods that the most literal one lacks") {
  const auto router = sample();
  CHECK(route_of(router, "/api/v1/access", Method::post) == 10);
  CHECK(route_of(router, "/api/v1/access", Method::get) == 11);
}

TEST_CASE("a router can be moved, and its matches stay valid") {
  auto first = sample();
  auto second = std::move(first);
  CHECK(parameter(second, "/live/ch1/~abc/v", "session") == "abc");
}
