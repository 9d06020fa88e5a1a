#include "balancer/balancer_role.h"

#include <stdlib.h>

#include <filesystem>
#include <future>
#include <thread>

#include <doctest/doctest.h>

#include "balancer/playlist_flow_fixture.h"
#include "base/json.h"
#include "contracts/heartbeat.h"
#include "contracts/signed_body.h"
#include "support/silent_log.h"

using namespace tribune;
using namespace std::chrono_literals;

namespace {

config::Schema::Outcome read_balancer(const std::string& keys, const std::string& channels, const std::string& nodes,
                                      const std::string& directory) {
  config::Schema schema;
  schema.add(contracts::event_section(), config::Presence::defaulted);
  balancer::role_type().add_section(schema);
  return schema.read(R"({"event":{"keys":)" + keys + R"(,"channels":)" + channels + R"(},"balancer":{"state_dir":")" +
                     directory + R"(","nodes":)" + nodes + "}}");
}

const std::string kKeys = R"([{"id":"k1","secret":"a secret of 32 bytes for testing"}])";
const std::string kDemo = R"([{"id":"demo","source":"http://127.0.0.1:9/index.m3u8"}])";
const std::string kStadium = R"([{"id":"stadium","url":"http://s:81"}])";

/// The role on one worker whose loop runs in a thread; the clock is moved by hand.
struct BalancerRoleServer {
  std::string directory = [] {
    std::string name = "/tmp/tribune_balancer_XXXXXX";
    REQUIRE(mkdtemp(name.data()));
    return name;
  }();
  base::ManualClock clock{test::kNow};
  base::Log log{test::silent()};
  base::Metrics metrics;
  net::EventLoop loop;
  test::ScriptedClient client{loop};
  std::vector<std::unique_ptr<runtime::Worker>> workers = [this] {
    std::vector<std::unique_ptr<runtime::Worker>> made;
    made.push_back(std::make_unique<runtime::Worker>(runtime::Worker{0, loop, client}));
    return made;
  }();
  runtime::Services services{clock, log, metrics, workers, "1.2.3"};
  std::unique_ptr<runtime::Role> role = balancer::role_type().make(settings(), services);
  net::Timer waits;  // the loop's
  std::thread thread;

  BalancerRoleServer() {
    const auto started = role->start();
    REQUIRE(started);
    thread = std::thread([this] { loop.run(); });
  }
  ~BalancerRoleServer() {
    role->drain();
    role->stop();
    loop.stop();
    thread.join();
    role.reset();
    std::filesystem::remove_all(directory);
  }

  config::Settings settings(const std::string& channels = kDemo, const std::string& nodes = kStadium) {
    auto outcome = read_balancer(kKeys, channels, nodes, directory);
    REQUIRE(outcome.settings);
    return *outcome.settings;
  }

  /// Sends a request through the role's own routes, on its loop.
  std::shared_ptr<test::RecordedResponse> send(std::vector<runtime::Route> routes, http::Request request) {
    http::Router router;
    for (std::size_t i = 0; i < routes.size(); ++i) router.add(routes[i].methods, routes[i].pattern, i);
    auto outcome = std::make_shared<test::RecordedResponse>();
    std::promise<void> handled;
    loop.post([&] {
      const auto path = request.path;
      const auto routed = router.match(request.method, path);
      if (const auto* match = std::get_if<http::Router::Match>(&routed)) {
        routes[match->route].handler(*workers[0], std::make_unique<test::FakeExchange>(std::move(request), outcome),
                                     match->parameters);
      }
      handled.set_value();
    });
    handled.get_future().wait();
    return outcome;
  }

  std::shared_ptr<test::RecordedResponse> beat(std::int64_t sequence) {
    contracts::Heartbeat h;
    h.node = "stadium";
    h.run = "r";
    h.sequence = sequence;
    h.sent_unix_ms = sequence;
    http::Request request;
    request.method = http::Method::post;
    request.path = contracts::heartbeat_path("stadium");
    request.body = contracts::to_json(h);
    request.headers.add(contracts::kSignatureHeader,
                        contracts::sign_body(test::one_key(), "POST " + request.path, request.body, clock.wall_now()));
    return send(role->front_routes(), std::move(request));
  }

  /// Returns when the balancer's timer has run at least once.
  void await_check() {
    std::promise<void> passed;
    loop.post([&] { waits = loop.after(120ms, [&] { passed.set_value(); }); });
    passed.get_future().wait();
  }

  int status_of(const std::string& path) {
    http::Request request;
    request.path = path;
    return send(role->front_routes(), std::move(request))->status();
  }

  base::json::Value described() {
    base::json::Writer w;
    w.begin_object();
    role->describe(w);
    w.end_object();
    auto value = base::json::parse(w.text());
    REQUIRE(value);
    return std::move(*value);
  }
  std::string state() { return std::string(described().find("nodes")->array.at(0).text("state").value_or("")); }
};

}  // namespace

TEST_CASE("the balancer starts, receives heartbeats, and reports its nodes and channels") {
  BalancerRoleServer h;
  CHECK(h.role->ready());
  CHECK(h.state() == "unheard");
  CHECK(h.beat(1)->status() == 200);
  CHECK(h.state() == "up");
  const auto value = h.described();
  CHECK(value.find("channels")->array.at(0).text("id") == "demo");
  CHECK(value.whole("sessions") == 0);
  http::Request request;
  request.path = "/status/nodes";
  const auto nodes = base::json::parse(h.send(h.role->admin_routes(), request)->body());
  REQUIRE(nodes);
  CHECK(nodes->find("nodes")->array.at(0).text("id") == "stadium");
  request.path = "/status/origins";
  const auto origins = base::json::parse(h.send(h.role->admin_routes(), request)->body());
  REQUIRE(origins);
  CHECK(origins->find("origins")->is(base::json::Kind::array));
}

TEST_CASE("the balancer's timers detect a silent node and its return") {
  BalancerRoleServer h;
  CHECK(h.beat(1)->status() == 200);
  // In steps that a check sees, because one large step looks like a suspended process.
  for (int i = 0; i < 3; ++i) {
    CHECK(h.state() == "up");
    h.clock.advance(850ms);
    h.await_check();
  }
  CHECK(h.state() == "down");
  CHECK(h.beat(2)->status() == 200);
  CHECK(h.state() == "up");
}

TEST_CASE("a reload changes channels and nodes, and an invalid one changes nothing") {
  BalancerRoleServer h;
  CHECK(h.beat(1)->status() == 200);
  REQUIRE(h.role->reload(h.settings(R"([{"id":"final","source":"http://127.0.0.1:9/index.m3u8"}])",
                                    R"([{"id":"city","url":"http://c"},{"id":"stadium","url":"http://s:81"}])")));
  auto value = h.described();
  CHECK(value.find("channels")->array.at(0).text("id") == "final");
  CHECK(value.find("nodes")->array.at(0).text("id") == "city");
  CHECK(value.find("nodes")->array.at(1).text("state") == "up");
  CHECK(h.status_of("/live/demo/index.m3u8") == 404);

  const auto broken =
      read_balancer(R"([{"id":"k1","secret_file":"/nonexistent/secret"}])", kDemo, kStadium, h.directory);
  REQUIRE(broken.settings);
  CHECK_FALSE(h.role->reload(*broken.settings));
  CHECK(h.described().find("channels")->array.at(0).text("id") == "final");
}

TEST_CASE("a balancer that drains is not ready") {
  BalancerRoleServer h;
  CHECK(h.role->ready());
  h.role->drain();
  CHECK_FALSE(h.role->ready());
}

TEST_CASE("a configuration of a balancer without signing keys is refused") {
  config::Schema schema;
  schema.add(contracts::event_section(), config::Presence::defaulted);
  balancer::role_type().add_section(schema);
  const auto outcome = schema.read(R"({"balancer":{"state_dir":"s"}})");
  REQUIRE_FALSE(outcome.settings);
  CHECK(outcome.problems.front().text.find("key") != std::string::npos);
}
