#include "base/metrics.h"

#include <doctest/doctest.h>

using namespace tribune::base;

TEST_CASE("a scrape shows every metric with its help and labels") {
  Metrics metrics;
  auto requests = metrics.counter("tribune_requests_total", "Requests.", {{"listener", "front"}});
  requests.add();
  metrics.counter("tribune_requests_total", "Requests.", {{"listener", "front"}}).add(2);
  auto live = metrics.gauge("tribune_live", "Live.");
  metrics.before_scrape([&] { live.set(7); });
  metrics.histogram("tribune_seconds", "Seconds.", {0.1, 1}).observe(0.5);
  const auto text = metrics.scrape();
  CHECK(text.find("# HELP tribune_requests_total Requests.") != std::string::npos);
  CHECK(text.find("tribune_requests_total{listener=\"front\"} 3") != std::string::npos);
  CHECK(text.find("tribune_live 7") != std::string::npos);
  CHECK(text.find("tribune_seconds_bucket{le=\"0.1\"} 0") != std::string::npos);
  CHECK(text.find("tribune_seconds_bucket{le=\"1\"} 1") != std::string::npos);
}
