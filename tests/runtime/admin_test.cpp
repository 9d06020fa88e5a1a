#include "runtime/admin.h"

#include <doctest/doctest.h>

#include "support/fake_exchange.h"

using namespace tribune;
using namespace tribune::runtime;
using namespace tribune::test;
using http::Method;

namespace {

constexpr auto kToken = "sixteen-and-more";

int status_with(const AdminGate& gate, http::Headers headers) {
  const auto refusal = gate.refusal(request_of(Method::get, "/status", std::move(headers)));
  return refusal ? refusal->status : 200;
}

class FakeRole final : public Role {
 public:
  explicit FakeRole(std::string name, std::string why_not = "")
      : name_(std::move(name)), why_not_(std::move(why_not)) {}
  std::string_view name() const override { return name_; }
  std::vector<Route> front_routes() override { return {}; }
  base::Status start() override { return {}; }
  base::Status reload(const config::Settings&) override { return {}; }
  base::Status ready() const override {
    if (why_not_.empty()) return {};
    return base::failure(base::ErrorKind::unavailable, base::Fault::node, why_not_);
  }
  void describe(base::json::Writer& out) const override { out.member("known", 7); }

 private:
  std::string name_;
  std::string why_not_;
};

std::string body_of(const http::Response& response) { return std::get<std::string>(response.body); }

}  // namespace

TEST_CASE("without a token every request is allowed") { CHECK(status_with(AdminGate(""), {}) == 200); }

TEST_CASE("with a token only requests with that token are allowed") {
  const AdminGate gate(kToken);
  CHECK(status_with(gate, {{"Authorization", std::string("Bearer ") + kToken}}) == 200);
  CHECK(status_with(gate, {{"authorization", std::string("bearer ") + kToken}}) == 200);
  CHECK(status_with(gate, {}) == 401);
  CHECK(status_with(gate, {{"Authorization", "Bearer "}}) == 401);
  CHECK(status_with(gate, {{"Authorization", "Bearer sixteen-and-morE"}}) == 401);
  CHECK(status_with(gate, {{"Authorization", "Bearer sixteen-and-more "}}) == 401);
  CHECK(status_with(gate, {{"Authorization", kToken}}) == 401);
  CHECK(status_with(gate, {{"Authorization", std::string("Basic ") + kToken}}) == 401);
  CHECK(status_with(gate, {{"Authorization", "Bearer wrong-wrong-wrong"},
                           {"Authorization", std::string("Bearer ") + kToken}}) == 401);
}

TEST_CASE("the refusal names the authentication scheme and does not contain the token") {
  const auto refusal = AdminGate(kToken).refusal(request_of(Method::get, "/status"));
  REQUIRE(refusal);
  CHECK(refusal->headers.first("WWW-Authenticate").value_or("").starts_with("Bearer"));
  CHECK(body_of(*refusal).find(kToken) == std::string::npos);
}

TEST_CASE("a new token is in force as soon as it is set") {
  AdminGate gate(kToken);
  gate.set_token("another-long-token");
  CHECK(status_with(gate, {{"Authorization", std::string("Bearer ") + kToken}}) == 401);
  CHECK(status_with(gate, {{"Authorization", "Bearer another-long-token"}}) == 200);
}

TEST_CASE("the process is ready while it serves and all roles are ready") {
  ProcessPhase condition;
  std::vector<std::unique_ptr<Role>> roles;
  roles.push_back(std::make_unique<FakeRole>("balancer"));
  CHECK(readiness(condition, roles).status == 503);
  condition.enter(Phase::serving);
  CHECK(readiness(condition, roles).status == 200);
  condition.enter(Phase::stopping);
  const auto answer = readiness(condition, roles);
  CHECK(answer.status == 503);
  CHECK(body_of(answer).find("stopping") != std::string::npos);
}

TEST_CASE("readiness lists the reason of every role that is not ready") {
  ProcessPhase condition;
  condition.enter(Phase::serving);
  std::vector<std::unique_ptr<Role>> roles;
  roles.push_back(std::make_unique<FakeRole>("balancer", "no node is alive"));
  roles.push_back(std::make_unique<FakeRole>("cache_node", "the disk is full"));
  const auto answer = readiness(condition, roles);
  CHECK(answer.status == 503);
  CHECK(answer.headers.first("Content-Type") == "application/problem+json");
  CHECK(body_of(answer).find("balancer: no node is alive; cache_node: the disk is full") != std::string::npos);
}

TEST_CASE("status has version, uptime and the description of each role") {
  base::ManualClock clock;
  base::Metrics metrics;
  ProcessPhase condition;
  condition.enter(Phase::serving);
  std::vector<std::unique_ptr<Role>> roles;
  roles.push_back(std::make_unique<FakeRole>("balancer"));
  const AdminSources sources{"1.2.3", 4, clock.steady_now(), clock, metrics, condition, roles};
  clock.advance(std::chrono::seconds{90});
  const auto parsed = base::json::parse(body_of(status(sources)));
  REQUIRE(parsed);
  CHECK(parsed->text("version") == "1.2.3");
  CHECK(parsed->text("phase") == "serving");
  CHECK(parsed->whole("uptime_seconds") == 90);
  CHECK(parsed->whole("workers") == 4);
  REQUIRE(parsed->find("balancer"));
  CHECK(parsed->find("balancer")->whole("known") == 7);
}
