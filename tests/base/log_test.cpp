#include "base/log.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

#include "base/json.h"
#include "base/log_line.h"

using namespace tribune::base;

namespace {

struct TemporaryFile {
  TemporaryFile() {
    const int fd = ::mkstemp(path.data());
    REQUIRE(fd >= 0);
    ::close(fd);
  }
  ~TemporaryFile() { ::unlink(path.c_str()); }
  std::string text() const {
    std::ifstream in(path);
    std::stringstream all;
    all << in.rdbuf();
    return all.str();
  }
  std::string path = "/tmp/tribune-log-XXXXXX";
};

constexpr WallTime kTime{std::chrono::milliseconds{1'700'000'000'123}};

}  // namespace

TEST_CASE("a text line shows time, level, component, event and fields") {
  CHECK(format_line(LogFormat::text, kTime, LogLevel::info, "balancer", "node_lost",
                    {{"node", "stadium"}, {"silent_ms", 2100}}) ==
        "2023-11-14T22:13:20.123Z info    balancer node_lost node=stadium silent_ms=2100\n");
}

TEST_CASE("text from a client cannot start a second line") {
  const auto line = format_line(LogFormat::text, kTime, LogLevel::info, "front", "request", {{"path", "/a\nb \"c\""}});
  CHECK(line.find('\n') == line.size() - 1);
  CHECK(line.find("path=\"/a\\nb \\\"c\\\"\"") != std::string::npos);
}

TEST_CASE("a JSON line parses to its fields") {
  const auto line =
      format_line(LogFormat::json, kTime, LogLevel::warning, "front", "x", {{"a", 1.5}, {"b", true}, {"c", "\xff"}});
  const auto value = json::parse(line);
  REQUIRE(value);
  CHECK(value->text("level") == "warning");
  CHECK(value->real("a") == 1.5);
  CHECK(value->flag("b") == true);
}

TEST_CASE("lines reach the file in order, without those below the level") {
  TemporaryFile file;
  {
    Log log({.level = LogLevel::info, .format = LogFormat::text, .file = file.path, .access = true});
    log.debug("component", "hidden");
    for (int i = 0; i < 100; ++i) log.info("component", "event", {{"i", i}});
  }
  const auto text = file.text();
  CHECK(text.find("hidden") == std::string::npos);
  std::size_t at = 0;
  for (int i = 0; i < 100; ++i) {
    at = text.find("i=" + std::to_string(i) + "\n", at);
    REQUIRE(at != std::string::npos);
  }
}

TEST_CASE("a full disk drops lines, which are counted") {
  Log log({.level = LogLevel::info, .format = LogFormat::text, .file = "/dev/full", .access = true});
  log.info("component", "event");
  while (log.dropped_lines() == 0) {
  }
  CHECK(log.dropped_lines() == 1);
}

TEST_CASE("a reload reopens the file that a rotation moved away") {
  TemporaryFile file;
  const LogSettings settings{.level = LogLevel::info, .format = LogFormat::text, .file = file.path, .access = true};
  {
    Log log(settings);
    std::rename(file.path.c_str(), (file.path + ".1").c_str());
    log.reconfigure(settings);
    log.info("component", "after_rotation");
  }
  CHECK(file.text().find("after_rotation") != std::string::npos);
  ::unlink((file.path + ".1").c_str());
}
