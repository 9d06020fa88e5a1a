#include "app/schema.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "app/roles.h"
#include "app/samples.h"
#include "app/version.h"

using namespace tribune;
using namespace tribune::app;

namespace {

std::string problems_of(const std::string& text) {
  const auto settings = settings_of({"f", text});
  return settings ? "" : settings.error();
}

}  // namespace

TEST_CASE("the table names every role once") {
  std::vector<std::string_view> names;
  for (const auto& type : role_types()) names.push_back(type.name);
  CHECK(names == std::vector<std::string_view>{"balancer", "cache_node", "api", "web", "http_cache"});
}

TEST_CASE("every sample passes the check and keeps its roles") {
  for (const auto& name : sample_names()) {
    const auto text = sample_text(name);
    CAPTURE(text);
    CHECK_MESSAGE(problems_of(text).empty(), problems_of(text));
  }
  const auto all = settings_of({"f", sample_text("all-in-one")});
  REQUIRE(all);
  for (const auto& type : role_types()) CHECK(all->has(type.name));
}

TEST_CASE("a sample with an unknown name is empty") { CHECK(sample_text("nothing").empty()); }

TEST_CASE("a configuration without a role is refused with the names of the roles") {
  const auto problems = problems_of(R"({"front": {"listen": ["127.0.0.1:0"]}})");
  CHECK(problems.find("no role is configured") != std::string::npos);
  CHECK(problems.find("balancer, cache_node, api, web, http_cache") != std::string::npos);
}

TEST_CASE("the front listener is required for the roles that use it") {
  CHECK(problems_of(R"({"api": {}})").find("front: is required by api") != std::string::npos);
  CHECK(problems_of(R"({"api": {}, "front": {"listen": []}})").find("front: is required by api") != std::string::npos);
}

TEST_CASE("the role http_cache runs alone") {
  const std::string cache = R"("http_cache": {"listen": ["127.0.0.1:0"], "origin": "http://origin.test"})";
  CHECK(problems_of("{" + cache + "}") == "");
  CHECK(problems_of("{" + cache + R"(, "front": {"listen": [], "trusted_proxies": ["10.0.0.0/8"]}})") == "");
  CHECK(problems_of(R"({"http_cache": {"listen": [], "origin": "http://origin.test"}})")
            .find("http_cache: \"listen\" must have at least one address") != std::string::npos);
}

TEST_CASE("the listeners of the roles are compared with those of the process") {
  CHECK(problems_of(R"({"http_cache": {"listen": ["0.0.0.0:9080"], "origin": "http://origin.test"}})")
            .find("http_cache.listen[0] (0.0.0.0:9080) use the same port") != std::string::npos);
}

TEST_CASE("the plain cache of a former version is reported with its present name") {
  const auto problems = problems_of(
      "{\"front\": {\"listen\": [\"127.0.0.1:0\"]}, \"cache_node\": {\n"
      "  \"id\": \"a\", \"public_url\": \"http://a\", \"store_dir\": \"s\",\n"
      "  \"proxy\": {\"listen\": [\"127.0.0.1:0\"], \"origin\": \"http://o\"}}}");
  CHECK(problems == "f:3:3: cache_node.proxy: is now the section http_cache\n");
}

TEST_CASE("a misspelt section is reported with the nearest known one") {
  CHECK(problems_of(R"({"front": {"listen": ["127.0.0.1:0"]}, "balancr": {}})")
            .find("f:1:40: balancr: is not a known key; did you mean \"balancer\"?") != std::string::npos);
}

TEST_CASE("a file that cannot be read or is too large is an error with its name") {
  const auto missing = read_config("no_such_file.json");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().text.starts_with("no_such_file.json: cannot be read: "));
  CHECK_FALSE(read_config("."));

  const std::string file = "schema_test." + std::to_string(::getpid());
  std::ofstream(file) << std::string((1 << 20) + 1, ' ');
  const auto large = read_config(file);
  std::ofstream(file) << "{}";
  const auto small = read_config(file);
  std::remove(file.c_str());
  CHECK_FALSE(large);
  REQUIRE(small);
  CHECK(small->text == "{}");
}

TEST_CASE("the version is the project's version") { CHECK(version().find('.') != std::string_view::npos); }
