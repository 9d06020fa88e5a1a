#pragma once
// Whether this node is close to its capacity, and the rate that each viewer may use then: for players that support
// Common Media Server Data (http/cmsd.h). They select a lower variant, and the node need not refuse any viewer.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

#include "base/clock.h"

namespace tribune::cache_node {

/// fair_kbps() from any thread; the other functions from one.
class Duress {
 public:
  static constexpr double kBegins = 0.9;  // begins at this share of the capacity
  static constexpr double kEnds = 0.8;    // ends below this share …
  static constexpr std::chrono::seconds kCalm{
      10};  // … for this time, because players that all return to a higher variant at once would cause it again

  /// The current rate and the estimated number of viewers. Call it every second or so.
  void update(double sent_mbps, double capacity_mbps, std::int64_t viewers, base::SteadyTime now) {
    const bool is_high = sent_mbps >= capacity_mbps * (is_on_ ? kEnds : kBegins);
    if (is_high) high_at_ = now;
    is_on_ = is_high || (is_on_ && now - high_at_ < kCalm);
    const double fair = capacity_mbps * 1'000 / static_cast<double>(std::max<std::int64_t>(viewers, 1));
    fair_kbps_ = is_on_ ? static_cast<std::uint32_t>(std::clamp(fair, 1.0, 4e9)) : 0;
  }

  /// During duress: the capacity divided evenly among the viewers, in kbit/s; at least 1.
  std::optional<std::uint32_t> fair_kbps() const {
    const auto fair = fair_kbps_.load(std::memory_order_relaxed);
    return fair > 0 ? std::optional(fair) : std::nullopt;
  }

 private:
  bool is_on_ = false;
  base::SteadyTime high_at_{};
  std::atomic<std::uint32_t> fair_kbps_{0};  // 0: off
};

}  // namespace tribune::cache_node
