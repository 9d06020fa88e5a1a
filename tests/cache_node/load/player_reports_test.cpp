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

TEST_CASE("the share of starved players and their mean throughput are taken from this window and the previous one") {
  base::Metrics metrics;
  PlayerReports reports(metrics);
  for (int i = 0; i < 4; ++i)
    reports.add(said(i % 2 ? "a" : "b", i == 0, 10'000 + 1'000 * static_cast<std::uint32_t>(i)),
                i % 2 ? "10.0.1.0/24" : "10.0.2.0/24");
  CHECK(reports.recent().reports == 4);
  CHECK(reports.recent().rebuffer_ratio == doctest::Approx(0.25));
  CHECK(reports.recent().throughput_mbps == doctest::Approx(11.5));
  CHECK(reports.recent().sessions == 2);
  reports.start_window();
  CHECK(reports.recent().reports == 4);
  reports.add(said("c", false, std::nullopt), "10.0.3.0/24");
  reports.start_window();
  CHECK(reports.recent().reports == 1);
  CHECK(reports.recent().rebuffer_ratio == 0);
  CHECK(reports.recent().throughput_mbps == 0);
  CHECK(metrics.scrape().find("tribune_cache_player_starved_total 1") != std::string::npos);
}
