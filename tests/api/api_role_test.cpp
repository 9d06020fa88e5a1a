#include "api/api_role.h"

#include <doctest/doctest.h>

#include "base/json.h"
#include "contracts/event.h"
#include "runtime/fake_exchange.h"

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

class NoClient final : public net::HttpClient {
 public:
  std::unique_ptr<net::Fetch> start(net::FetchRequest, net::FetchHandlers) override { return nullptr; }
};

std::vector<std::unique_ptr<runtime::Worker>> only(const runtime::Worker& worker) {
  std::vector<std::unique_ptr<runtime::Worker>> workers;
  workers.push_back(std::make_unique<runtime::Worker>(worker));
  return workers;
}

struct Server {
  base::ManualClock clock;
  base::Log log{[] {
    base::LogSettings s;
    s.level = base::LogLevel::off;
    return s;
  }()};
  base::Metrics metrics;
  net::EventLoop loop;
  NoClient client;
  runtime::Worker worker{0, loop, client};
  std::vector<std::unique_ptr<runtime::Worker>> workers = only(worker);
  runtime::Services services{clock, log, metrics, workers, "1.2.3"};
  std::unique_ptr<runtime::Role> role =
      api::role_type().make(settings(R"({"caches":[{"id":"stadium","url":"http://s:81"}]})"), services);

  http::Response get(std::string_view path, http::Headers headers = {}) {
    const auto answered = std::make_shared<runtime::Answered>();
    for (auto& route : role->front_routes())
      if (route.pattern == path)
        route.handler(worker,
                      std::make_unique<runtime::FakeExchange>(
                          runtime::request_of(http::Method::get, std::string(path), std::move(headers)), answered),
                      {});
    REQUIRE(answered->response);
    return *answered->response;
  }
};

std::string body(const http::Response& response) {
  const auto* slice = std::get_if<base::BytesSlice>(&response.body);
  return slice ? std::string(slice->view()) : "";
}

}  // namespace

TEST_CASE("Every route of the API is described, and every described path is a route") {
  Server h;
  REQUIRE(h.role->start());
  const auto document = base::json::parse(body(h.get("/api/v1/openapi.json")));
  REQUIRE(document);
  const auto* paths = document->find("paths");
  REQUIRE(paths);
  CHECK(paths->object.size() == h.role->front_routes().size());
  for (const auto& path : paths->object) {
    CAPTURE(path.name);
    if (!path.value.find("get")) continue;
    const auto answer = h.get(path.name);
    CHECK(answer.status == 200);
    CHECK(answer.headers.first("Content-Type") == "application/json");
    CHECK(base::json::parse(body(answer)).has_value());
  }
}

TEST_CASE("The API's responses can be revalidated") {
  Server h;
  const auto first = h.get("/api/v1/channels");
  const auto etag = std::string(first.headers.first("ETag").value_or(""));
  CHECK(h.get("/api/v1/channels", {{"If-None-Match", etag}}).status == 304);
  CHECK(h.get("/api/v1/caches", {{"If-None-Match", etag}}).status == 200);
}

TEST_CASE("A reload changes what the API lists") {
  Server h;
  CHECK(body(h.get("/api/v1/channels")).find("\"demo\"") != std::string::npos);
  REQUIRE(h.role->reload(settings("{}", R"([{"id":"final","source":"http://o/index.m3u8"}])")));
  CHECK(body(h.get("/api/v1/channels")).find("\"demo\"") == std::string::npos);
  CHECK(body(h.get("/api/v1/channels")).find("\"final\"") != std::string::npos);
  CHECK(body(h.get("/api/v1/caches")) == R"({"caches":[]})");
}

TEST_CASE("Invalid API settings are refused with their key") {
  config::Schema schema;
  api::role_type().add_section(schema);
  for (const std::string wrong :
       {R"({"caches":[{"id":"a","url":"http://a"},{"id":"a","url":"http://b"}]})", R"({"caches":[{"id":"a"}]})",
        R"({"balancer_url":"live.example"})", R"({"caches":[{"id":"a","url":"http://a/x/"}]})"}) {
    CAPTURE(wrong);
    CHECK_FALSE(schema.read(R"({"api":)" + wrong + "}").settings);
  }
}
