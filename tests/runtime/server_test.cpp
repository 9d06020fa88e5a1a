#include "runtime/server.h"

#include <doctest/doctest.h>

#include <csignal>

using namespace tribune;
using namespace tribune::runtime;

namespace {

struct MediaRequest {
  std::string word = "first";
};

template <int N>
const config::Section<MediaRequest>& wish_section() {
  static const auto section = config::Section<MediaRequest>("role" + std::to_string(N), "A role of this test.")
                                  .text("word", &MediaRequest::word, "A word.");
  return section;
}

/// The calls of the roles, in order.
std::vector<std::string>& story() {
  static std::vector<std::string> lines;
  return lines;
}

/// Fails to start with the word "never", and to reload with the word "no".
class TestRole final : public Role {
 public:
  TestRole(std::string name, std::string word) : name_(std::move(name)), word_(std::move(word)) {}
  std::string_view name() const override { return name_; }
  std::vector<Route> front_routes() override { return {}; }
  base::Status start() override {
    if (word_ == "never") return base::failure(base::ErrorKind::io, base::Fault::tribune, "the directory is read-only");
    tell("started");
    return {};
  }
  base::Status reload(const config::Settings& settings) override {
    const auto& word = settings.get<MediaRequest>(name_).word;
    tell("asked for " + word);
    if (word == "no") return base::failure(base::ErrorKind::invalid_input, base::Fault::client, "not this word");
    word_ = word;
    return {};
  }
  base::Status ready() const override { return {}; }
  void describe(base::json::Writer&) const override {}
  void drain() override { tell("drained"); }
  void stop() override { tell("stopped"); }

 private:
  void tell(const std::string& what) const { story().push_back(name_ + " " + what); }
  std::string name_;
  std::string word_;
};

template <int N>
RoleType role_type() {
  static const std::string name = "role" + std::to_string(N);
  return {name, [](config::Schema& schema) { schema.add(wish_section<N>(), config::Presence::optional); },
          [](const config::Settings& settings, Services&) -> std::unique_ptr<Role> {
            return std::make_unique<TestRole>(name, settings.get<MediaRequest>(name).word);
          }};
}

struct ServerFixture {
  Signals signals;
  base::SystemClock clock;
  base::Log log{{base::LogLevel::off, base::LogFormat::text, "", false}};
  base::Metrics metrics;
  std::vector<RoleType> types{role_type<1>(), role_type<2>()};

  ServerFixture() { story().clear(); }

  config::Settings settings(const std::string& roles, const std::string& process = R"("workers": 2)") {
    config::Schema schema;
    schema.add(kFrontSection, net::server_section(), config::Presence::required);
    schema.add(admin_section(), config::Presence::defaulted);
    schema.add(process_section(), config::Presence::defaulted);
    schema.add(net::client_section(), config::Presence::defaulted);
    for (const auto& type : types) type.add_section(schema);
    const auto text = R"({"front": {"listen": ["127.0.0.1:0"]}, "admin": {"listen": ["127.0.0.1:0"]}, "process": {)" +
                      process + "}" + roles + "}";
    auto outcome = schema.read(text);
    REQUIRE_MESSAGE(outcome.settings, config::describe(outcome.problems, "f", text));
    return std::move(*outcome.settings);
  }
  base::Result<std::unique_ptr<Server>> open(const std::string& roles) {
    return Server::open(settings(roles), types, {clock, log, metrics, signals, "1"});
  }
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a server runs the roles whose sections are present, and stops them in reverse order") {
  ServerFixture fixture;
  auto server = fixture.open(R"(, "role1": {}, "role2": {})");
  REQUIRE(server);
  CHECK(story() == Lines{"role1 started", "role2 started"});
  CHECK_FALSE((*server)->stop(SIGTERM));
  CHECK(story() ==
        Lines{"role1 started", "role2 started", "role1 drained", "role2 drained", "role2 stopped", "role1 stopped"});
}

TEST_CASE("a role whose section is absent does not run") {
  ServerFixture fixture;
  REQUIRE(fixture.open(R"(, "role2": {})"));
  CHECK(story() == Lines{"role2 started", "role2 stopped"});
}

TEST_CASE("a role that cannot start fails the start with its name, and roles that have started are stopped") {
  ServerFixture fixture;
  const auto server = fixture.open(R"(, "role1": {}, "role2": {"word": "never"})");
  REQUIRE_FALSE(server);
  CHECK(server.error().text == "role2: the directory is read-only");
  CHECK(story() == Lines{"role1 started", "role1 stopped"});
}

TEST_CASE("a reload that one role refuses is reverted in the roles that accepted it") {
  ServerFixture fixture;
  auto server = fixture.open(R"(, "role1": {}, "role2": {})");
  REQUIRE(server);
  story().clear();
  const auto status = (*server)->reload(fixture.settings(R"(, "role1": {"word": "second"}, "role2": {"word": "no"})"));
  REQUIRE_FALSE(status);
  CHECK(status.error().text == "role2: not this word");
  CHECK(story() == Lines{"role1 asked for second", "role2 asked for no", "role1 asked for first"});
}

TEST_CASE("a reload without the section of a running role is refused before any role is called") {
  ServerFixture fixture;
  auto server = fixture.open(R"(, "role1": {}, "role2": {})");
  REQUIRE(server);
  story().clear();
  const auto status = (*server)->reload(fixture.settings(R"(, "role1": {"word": "second"})"));
  REQUIRE_FALSE(status);
  CHECK(status.error().text.find("role2") != std::string::npos);
  CHECK(story().empty());
}

TEST_CASE("a refused reload reverts to the configuration of the last accepted reload") {
  ServerFixture fixture;
  auto server = fixture.open(R"(, "role1": {}, "role2": {})");
  REQUIRE(server);
  REQUIRE((*server)->reload(fixture.settings(R"(, "role1": {"word": "second"}, "role2": {})")));
  story().clear();
  REQUIRE_FALSE((*server)->reload(fixture.settings(R"(, "role1": {"word": "third"}, "role2": {"word": "no"})")));
  CHECK(story().back() == "role1 asked for second");
}

TEST_CASE("a second signal ends the delay of a stop") {
  ServerFixture fixture;
  auto server = Server::open(fixture.settings(R"(, "role1": {})", R"("workers": 1, "stop_delay": "10min")"),
                             fixture.types, {fixture.clock, fixture.log, fixture.metrics, fixture.signals, "1"});
  REQUIRE(server);
  pthread_kill(pthread_self(), SIGINT);
  CHECK((*server)->stop(SIGTERM) == SIGINT);
}
