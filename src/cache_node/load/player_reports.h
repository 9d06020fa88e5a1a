#pragma once
// The sums of the players' reports about playback (CMCD, http/cmcd.h).

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "base/metrics.h"
#include "cache_node/load/viewer_estimate.h"
#include "http/cmcd.h"

namespace tribune::cache_node {

/// Any thread; const methods too.
class PlayerReports {
 public:
  explicit PlayerReports(base::Metrics& m)
      : reports_(m.counter("tribune_cache_player_reports_total", "Requests with player data (CMCD).")),
        starved_(m.counter("tribune_cache_player_starved_total",
                           "Requests whose CMCD reports a buffer underrun since the previous request (bs).")),
        next_named_(m.counter("tribune_cache_player_next_named_total",
                              "Requests whose CMCD names the object of the next request (nor).")),
        throughput_(m.histogram("tribune_cache_player_throughput_mbps",
                                "Throughput from this node as measured by players (CMCD mtp), in Mbit/s.",
                                {0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 1024})),
        buffer_(m.histogram("tribune_cache_player_buffer_seconds", "Buffer length of players (CMCD bl), in seconds.",
                            {0.25, 0.5, 1, 2, 4, 8, 16, 32, 64})),
        bitrate_(m.histogram("tribune_cache_player_bitrate_mbps",
                             "Encoded bitrate of the requested objects (CMCD br), in Mbit/s.",
                             {0.25, 0.5, 1, 2, 4, 8, 16, 32, 64})) {}

  /// `network`: of the client, as contracts::client_prefix() writes it.
  void add(const http::Cmcd& report, std::string_view network) {
    reports_.add();
    if (report.starved) starved_.add();
    if (report.names_next) next_named_.add();
    if (report.throughput_kbps) throughput_.observe(*report.throughput_kbps / 1e3);
    if (report.buffer_ms) buffer_.observe(*report.buffer_ms / 1e3);
    if (report.bitrate_kbps) bitrate_.observe(*report.bitrate_kbps / 1e3);
    if (!report.session.empty()) sessions_.add(report.session, 0);
    networks_.add(network, 0);
    if (report.starved) starved_networks_.add(network, 0);
    auto& window = windows_[current_.load(std::memory_order_relaxed)];
    window.reports.fetch_add(1, std::memory_order_relaxed);
    if (report.starved) window.starved.fetch_add(1, std::memory_order_relaxed);
    if (!report.throughput_kbps) return;
    window.measured.fetch_add(1, std::memory_order_relaxed);
    window.throughput_kbps.fetch_add(*report.throughput_kbps, std::memory_order_relaxed);
  }

  /// Begins a new window; call every few seconds, from one thread.
  void start_window() {
    const auto next = 1 - current_.load();
    for (auto* sum : windows_[next].all()) sum->store(0, std::memory_order_relaxed);
    current_.store(next);
    sessions_.start_window();
    networks_.start_window();
    starved_networks_.start_window();
  }

  /// The totals of the current window and the one before.
  struct Recent {
    std::int64_t reports = 0;
    std::int64_t sessions = 0;  // estimated
    std::int64_t networks = 0;  // estimated
    std::int64_t starved_networks = 0;
    double rebuffer_ratio = 0;   // the share of reports whose player had run out of buffer
    double throughput_mbps = 0;  // the mean of the values that players measured; 0 without values
  };
  Recent recent() const {
    std::int64_t reports = 0, starved = 0, measured = 0, kbps = 0;
    for (const auto& window : windows_) {
      reports += window.reports.load(std::memory_order_relaxed);
      starved += window.starved.load(std::memory_order_relaxed);
      measured += window.measured.load(std::memory_order_relaxed);
      kbps += window.throughput_kbps.load(std::memory_order_relaxed);
    }
    return {reports,
            sessions_.viewers(),
            networks_.viewers(),
            starved_networks_.viewers(),
            reports > 0 ? static_cast<double>(starved) / static_cast<double>(reports) : 0,
            measured > 0 ? static_cast<double>(kbps) / static_cast<double>(measured) / 1e3 : 0};
  }

 private:
  struct Window {
    std::atomic<std::int64_t> reports{0}, starved{0}, measured{0}, throughput_kbps{0};
    std::array<std::atomic<std::int64_t>*, 4> all() { return {&reports, &starved, &measured, &throughput_kbps}; }
  };
  base::Counter reports_, starved_, next_named_;
  base::Histogram throughput_, buffer_, bitrate_;
  ViewerEstimate sessions_, networks_, starved_networks_;
  std::array<Window, 2> windows_{};
  std::atomic<std::size_t> current_{0};
};

}  // namespace tribune::cache_node
