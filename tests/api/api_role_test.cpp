#include "api/api_role.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <set>

#include "base/json.h"
#include "contracts/event.h"
#include "support/fake_exchange.h"
#include "support/folder.h"
#include "support/scripted_client.h"
#include "support/silent_log.h"

using namespace tribune;

namespace {

config::Settings settings(const std::string& api,
                          const std::string& channels = R"([{"id":"demo","source":"http://o/index.m3u8"}])") {
  config::Schema schema;
  schema.add(contracts::event_section(), config::Presence::required);
  api::role_type().add_section(schema);
  auto outcome = schema.read(R"({"event":{"keys":[{"id":"k","secret":"0123456789abcdef"}],"channels":)" + channels +
                             R"(},"api":)" + api + "}");
  REQUIRE(outcome.settings);
  return *outcome.settings;
}

std::vector<std::unique_ptr<runtime::Worker>> only(const runtime::Worker& worker) {
  std::vector<std::unique_ptr<runtime::Worker>> workers;
  workers.push_back(std::make_unique<runtime::Worker>(worker));
  return workers;
}

struct Server {
  test::Folder folder;
  base::ManualClock clock;
  base::Log log{test::silent()};
  base::Metrics metrics;
  net::EventLoop loop;
  test::ScriptedClient client{loop};
  runtime::Worker worker{0, loop, client};
  std::vector<std::unique_ptr<runtime::Worker>> workers = only(worker);
  runtime::Services services{clock, log, metrics, workers, "1.2.3"};
  std::unique_ptr<runtime::Role> role =
      api::role_type().make(settings(R"({"caches":[{"id":"stadium","url":"http://s:81"}],"accounts":{"state_dir":")" +
                                     folder.path() + "\"}}"),
                            services);

  std::shared_ptr<test::RecordedResponse> get(std::string_view path, http::Headers headers = {}) {
    const auto answered = std::make_shared<test::RecordedResponse>();
    for (auto& route : role->front_routes())
      if (route.pattern == path)
        route.handler(worker,
                      std::make_unique<test::FakeExchange>(
                          test::request_of(http::Method::get, std::string(path), std::move(headers)), answered),
                      {});
    REQUIRE(answered->response);
    return answered;
  }
};

}  // namespace

TEST_CASE("every route of the API is described, and every described operation is a route") {
  Server h;
  REQUIRE(h.role->start());
  std::set<std::string> routes, operations;
  for (const auto& route : h.role->front_routes())
    for (const auto method : route.methods)
      // What processes of the event send each other is no part of the API.
      if (!route.pattern.starts_with("/internal/"))
        routes.insert(std::string(http::to_string(method)) + " " + std::string(route.pattern));
  const auto document = base::json::parse(h.get("/api/v1/openapi.json")->body());
  REQUIRE(document);
  for (const auto& path : document->find("paths")->object)
    for (const auto& operation : path.value.object) {
      auto method = operation.name;
      std::transform(method.begin(), method.end(), method.begin(), [](unsigned char c) { return std::toupper(c); });
      operations.insert(method + " " + path.name);
    }
  CHECK(routes.size() >= 18);
  CHECK(routes == operations);
}

TEST_CASE("the documents of the API are JSON, and the description is the text of the file") {
  Server h;
  REQUIRE(h.role->start());
  for (const auto* path : {"/api/v1/channels", "/api/v1/caches", "/api/v1/openapi.json"}) {
    CAPTURE(path);
    const auto answer = h.get(path);
    CHECK(answer->status() == 200);
    CHECK(answer->header("Content-Type") == "application/json");
    CHECK(base::json::parse(answer->body()).has_value());
  }
  std::ifstream file("src/api/openapi.json", std::ios::binary);
  REQUIRE(file);
  CHECK(h.get("/api/v1/openapi.json")->body() == std::string(std::istreambuf_iterator<char>(file), {}));
}

TEST_CASE("the API's responses can be revalidated") {
  Server h;
  const auto first = h.get("/api/v1/channels");
  const auto etag = first->header("ETag");
  for (const auto* path : {"/api/v1/channels", "/api/v1/openapi.json"}) {
    const auto mark = h.get(path)->header("ETag");
    CHECK(h.get(path, {{"If-None-Match", mark}})->status() == 304);
    CHECK(h.get(path, {{"If-Match", mark}})->status() == 200);
    CHECK(h.get(path, {{"If-Match", "\"other\""}})->status() == 412);
  }
  CHECK(h.get("/api/v1/caches", {{"If-None-Match", etag}})->status() == 200);
}

TEST_CASE("a reload changes what the API lists") {
  Server h;
  CHECK(h.get("/api/v1/channels")->body().find("\"demo\"") != std::string::npos);
  REQUIRE(h.role->reload(settings("{}", R"([{"id":"final","source":"http://o/index.m3u8"}])")));
  CHECK(h.get("/api/v1/channels")->body().find("\"demo\"") == std::string::npos);
  CHECK(h.get("/api/v1/channels")->body().find("\"final\"") != std::string::npos);
  CHECK(h.get("/api/v1/caches")->body() == R"({"caches":[]})");
}

TEST_CASE("invalid API settings are refused with their key") {
  config::Schema schema;
  api::role_type().add_section(schema);
  for (const std::string wrong :
       {R"({"caches":[{"id":"a","url":"http://a"},{"id":"a","url":"http://b"}]})", R"({"caches":[{"id":"a"}]})",
        R"({"balancer_url":"live.example"})", R"({"caches":[{"id":"a","url":"http://a/x/"}]})"}) {
    CAPTURE(wrong);
    CHECK_FALSE(schema.read(R"({"api":)" + wrong + "}").settings);
  }
}
