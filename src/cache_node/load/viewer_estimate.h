#pragma once
// An estimate of the number of recent viewers, in a fixed 8 KiB for each of two windows: linear counting (Whang,
// Vander-Zanden, Taylor, 1990). A viewer is a client address and port.

#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string_view>

#include "base/clock.h"
#include "base/hash.h"

namespace tribune::cache_node {

/// Any thread; const methods too.
class ViewerEstimate {
 public:
  void add(std::string_view client, std::uint16_t port) {
    const auto hash = base::combined_hash(base::TextHash{}(client), port) >> 48;
    auto& bits = windows_[current_.load(std::memory_order_relaxed)][hash / 64];
    const auto bit = std::uint64_t{1} << (hash % 64);
    if ((bits.load(std::memory_order_relaxed) & bit) == 0) bits.fetch_or(bit, std::memory_order_relaxed);
  }

  /// Begins a new window; call every few seconds, from one thread.
  void start_window() {
    const auto next = 1 - current_.load();
    for (auto& bits : windows_[next]) bits.store(0, std::memory_order_relaxed);
    current_.store(next);
  }

  /// The viewers of the current window or the one before, whichever is larger.
  std::int64_t viewers() const { return std::max(count(0), count(1)); }

 private:
  static constexpr std::size_t kBits = 65'536;
  using Window = std::array<std::atomic<std::uint64_t>, kBits / 64>;

  std::int64_t count(std::size_t window) const {
    std::int64_t empty = 0;
    for (const auto& bits : windows_[window]) empty += 64 - __builtin_popcountll(bits.load(std::memory_order_relaxed));
    if (empty == 0) empty = 1;
    return std::llround(-static_cast<double>(kBits) * std::log(static_cast<double>(empty) / kBits));
  }

  std::array<Window, 2> windows_{};
  std::atomic<std::size_t> current_{0};
};

}  // namespace tribune::cache_node
