#include "net/client/dns_cache.h"

#include <doctest/doctest.h>

#include <string>

using namespace tribune;
using namespace tribune::net;
using namespace std::chrono_literals;

TEST_CASE("at the bound the least recently used name is removed, whatever its hash") {
  base::ManualClock clock;
  EventLoop loop;
  DnsCache cache(
      loop, clock,
      [](const std::string&) -> base::Result<std::vector<std::string>> {
        return std::vector<std::string>{"192.0.2.1"};
      },
      24h);
  const auto learn = [&](const std::string& host) {
    clock.advance(1ms);
    const auto wait = cache.look_up(host, [&](const auto&) { loop.stop(); });
    loop.run();
  };
  learn("a.example");
  learn("b.example");
  for (std::size_t i = 2; i < DnsCache::kMaxNames; ++i) learn("name-" + std::to_string(i));
  clock.advance(1ms);
  CHECK(cache.find("a.example"));  // used, so it stays
  learn("z.example");
  CHECK(cache.find("a.example"));
  CHECK(cache.find("z.example"));
  CHECK_FALSE(cache.find("b.example"));
}
