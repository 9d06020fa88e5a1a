#include "runtime/process_settings.h"

#include <doctest/doctest.h>

#include "config/settings.h"

using namespace tribune;
using namespace tribune::runtime;

namespace {

std::string problems_of(std::string_view text) {
  config::Schema schema;
  schema.add(admin_section(), config::Presence::defaulted);
  schema.add(log_section(), config::Presence::defaulted);
  schema.add(process_section(), config::Presence::defaulted);
  return config::describe(schema.read(text).problems, "f", text);
}

}  // namespace

TEST_CASE("a loopback address can be reached from this machine only") {
  CHECK(is_loopback("127.0.0.1:9080"));
  CHECK(is_loopback("127.8.8.8:1"));
  CHECK(is_loopback("[::1]:9080"));
  CHECK_FALSE(is_loopback("0.0.0.0:9080"));
  CHECK_FALSE(is_loopback("[::]:9080"));
  CHECK_FALSE(is_loopback("10.0.0.1:9080"));
  CHECK_FALSE(is_loopback("[::ffff:127.0.0.1]:9080"));
}

TEST_CASE("an admin listener that other machines can reach needs a token") {
  CHECK(problems_of("{}").empty());
  CHECK(problems_of(R"({"admin": {"listen": ["127.0.0.1:1", "[::1]:1"]}})").empty());
  CHECK(problems_of(R"({"admin": {"listen": ["127.0.0.1:1", "0.0.0.0:2"]}})")
            .starts_with("f:1:11: admin: listens on 0.0.0.0:2"));
  CHECK(problems_of(R"({"admin": {"listen": ["0.0.0.0:2"], "token": "sixteen-and-more"}})").empty());
}

TEST_CASE("a token that can be guessed is refused and not repeated in the message") {
  const auto problems = problems_of(R"({"admin": {"listen": ["0.0.0.0:2"], "token": "short"}})");
  CHECK(problems.find("admin.token") != std::string::npos);
  CHECK(problems.find("short") == std::string::npos);
}

TEST_CASE("the number of workers is the configured one, or one per core") {
  CHECK(worker_count({.workers = 3}) == 3);
  CHECK(worker_count({.workers = 0}) >= 1);
}

TEST_CASE("log levels and formats are read from their names") {
  CHECK(problems_of(R"({"log": {"level": "warning", "format": "json", "access": false}})").empty());
  CHECK(problems_of(R"({"log": {"level": "loud"}})").find("debug, info, warning, error, off") != std::string::npos);
}
