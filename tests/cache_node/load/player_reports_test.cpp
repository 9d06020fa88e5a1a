#include "cache_node/load/player_reports.h"

#include <doctest/doctest.h>

using namespace tribune;
using tribune::cache_node::PlayerReports;

namespace {

http::Cmcd said(std::string session, bool starved, std::optional<std::uint32_t> throughput_kbps) {
  http::Cmcd made;
  made.session = std::move(session);
  made.starved = starved;
  made.throughput_kbps = throughput_kbps;
  return made;
}

}  // namespace

TEST_CASE("The share of starved players and their mean throughput are of this window and the last") {
  base::Metrics metrics;
  PlayerReports reports(metrics);
  for (int i = 0; i < 4; ++i)
    reports.take(said(i % 2 ? "a" : "b", i == 0, 10'000 + 1'000 * static_cast<std::uint32_t>(i)));
  CHECK(reports.lately().reports == 4);
  CHECK(reports.lately().rebuffer_ratio == doctest::Approx(0.25));
  CHECK(reports.lately().throughput_mbps == doctest::Approx(11.5));
  CHECK(reports.lately().sessions == 2);
  reports.turn();
  CHECK(reports.lately().reports == 4);
  reports.take(said("c", false, std::nullopt));
  reports.turn();
  CHECK(reports.lately().reports == 1);
  CHECK(reports.lately().rebuffer_ratio == 0);
  CHECK(reports.lately().throughput_mbps == 0);
  CHECK(metrics.scrape().find("tribune_cache_player_starved_total 1") != std::string::npos);
}
