// The number of series that /metrics has with many channels.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "access/admission.h"
#include "access/sessions.h"

using namespace tribune;
using namespace std::chrono_literals;

namespace {

std::size_t lines_with(const std::string& text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    const auto line = std::string_view(text).substr(at, end - at);
    if (!line.starts_with('#') && line.find(part) != std::string_view::npos) ++count;
    at = end + 1;
  }
  return count;
}

}  // namespace

TEST_CASE("channels beyond the bound share one series, which sums up their sessions") {
  base::ManualClock clock;
  base::Metrics metrics;
  access::Sessions sessions(clock, metrics, 100, std::make_shared<base::ChannelLabels>(2));
  for (int i = 0; i < 20; ++i)
    REQUIRE(sessions.insert(static_cast<access::SessionId>(i + 1), "c" + std::to_string(i), 10s));
  const auto text = metrics.scrape();
  CHECK(lines_with(text, "tribune_access_sessions{") == 3);
  CHECK(text.find("tribune_access_sessions{channel=\"other\"} 18") != std::string::npos);
  CHECK(sessions.count("c7") == 1);
}

TEST_CASE(
    "waiting times are reported for each lane, not for each channel, and the series of 2,000 channels are bounded") {
  base::ManualClock clock;
  base::LogSettings silent;
  silent.level = base::LogLevel::off;
  base::Log log(silent);
  base::Metrics metrics;
  access::AccessSettings settings;
  settings.lanes = {{"paid", 2}, {"general", 1}};
  access::Admission admission(clock, log, metrics, settings, 10'000, std::make_shared<base::ChannelLabels>(100));
  std::vector<access::Admission::ChannelFacts> facts;
  for (int i = 0; i < 2'000; ++i) {
    access::Admission::ChannelFacts fact;
    fact.id = "c" + std::to_string(i);
    facts.push_back(fact);
  }
  admission.configure(settings, facts);
  const auto text = metrics.scrape();
  CHECK(lines_with(text, "tribune_access_wait_seconds_bucket") == 2 * 14);
  CHECK(lines_with(text, "tribune_access_queue_length{") == 2 * 101);
  CHECK(lines_with(text, "channel=") <= 101 * (5 * 2 + 1));
}
