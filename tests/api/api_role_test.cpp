#include "api/api_role.h"

#include <doctest/doctest.h>

#include "base/json.h"
#include "contracts/event.h"
#include "support/fake_exchange.h"
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
  base::ManualClock clock;
  base::Log log{test::silent()};
  base::Metrics metrics;
  net::EventLoop loop;
  test::ScriptedClient client{loop};
  runtime::Worker worker{0, loop, client};
  std::vector<std::unique_ptr<runtime::Worker>> workers = only(worker);
  runtime::Services services{clock, log, metrics, workers, "1.2.3"};
  std::unique_ptr<runtime::Role> role =
      api::role_type().make(settings(R"({"caches":[{"id":"stadium","url":"http://s:81"}]})"), services);

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

TEST_CASE("every route of the API is described, and every described path is a route") {
  Server h;
  REQUIRE(h.role->start());
  const auto document = base::json::parse(h.get("/api/v1/openapi.json")->body());
  REQUIRE(document);
  const auto* paths = document->find("paths");
  REQUIRE(paths);
  CHECK(paths->object.size() == h.role->front_routes().size());
  for (const auto& path : paths->object) {
    CAPTURE(path.name);
    if (!path.value.find("get")) continue;
    const auto answer = h.get(path.name);
    CHECK(answer->status() == 200);
    CHECK(answer->header("Content-Type") == "application/json");
    CHECK(base::json::parse(answer->body()).has_value());
  }
}

TEST_CASE("the API's responses can be revalidated") {
  Server h;
  const auto first = h.get("/api/v1/channels");
  const auto etag = first->header("ETag");
  CHECK(h.get("/api/v1/channels", {{"If-None-Match", etag}})->status() == 304);
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
