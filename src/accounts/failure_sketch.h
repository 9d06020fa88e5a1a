#pragma once
// Failures by key in memory of a fixed size: a count-min sketch (Cormode and Muthukrishnan 2005) with conservative
// update, whose cells are not counts but times, as in the generic cell rate algorithm (GCRA, ITU-T I.371). Whatever
// keys are counted, no key is ever forgotten before its time, because there is nothing to evict; a key may appear to
// have more failures than it has, when other keys share all of its cells.

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace tribune::accounts {

/// `most` failures may come at once, and further ones in steps of window / most: in a window after a silent one at most
/// twice `most`, and `most` for each window in the long run. Values beyond the bounds are replaced by the nearest
/// bound.
struct FailureLimit {
  std::uint32_t most = 10;                                // failures, 1 to 10,000
  std::chrono::seconds window{std::chrono::minutes{10}};  // 1 s to 24 h
  bool operator==(const FailureLimit&) const = default;

  FailureLimit bounded() const {
    using std::chrono::seconds;
    return {std::clamp(most, 1u, 10'000u), std::clamp(window, seconds{1}, seconds{std::chrono::hours{24}})};
  }
  std::chrono::nanoseconds step() const { return std::chrono::nanoseconds{window} / most; }
  /// The time from which nothing of the failures is left, after one more failure. `gone` is that time before.
  base::SteadyTime after_failure(base::SteadyTime gone, base::SteadyTime now) const {
    return std::min<base::SteadyTime>(std::max(gone, now) + step(), now + window);
  }
  /// The time until one more attempt may fail, when `under_way` others count as failed already; 0 when it may at once.
  std::chrono::nanoseconds wait(base::SteadyTime gone, std::size_t under_way, base::SteadyTime now) const {
    const auto others = static_cast<std::int64_t>(std::min<std::size_t>(under_way, most));
    const auto after = std::max(gone, now) + step() * (others + 1);
    return std::max(std::chrono::nanoseconds{0}, std::chrono::nanoseconds{after - (now + window)});
  }
};

/// Not synchronised: the owner locks. 4 MiB. With 1,000,000 keys that failed once within the window, no other key
/// appears to have failed ten times; with 24,000 keys that failed ten times, about one of 1,000 does. The hashes of so
/// many passwords keep ten cores busy for a window of ten minutes.
class FailureSketch {
 public:
  /// Four independent words of a keyed hash, so that nobody can choose keys that share cells.
  using Key = std::array<std::uint64_t, 4>;

  FailureSketch() : cells_(std::tuple_size_v<Key> * kCells) {}

  /// The time from which nothing is left of the key's failures; never earlier than it is.
  base::SteadyTime gone(const Key& key) const {
    auto least = base::SteadyTime::max();
    for (std::size_t row = 0; row < key.size(); ++row) least = std::min(least, cells_[place(key, row)]);
    return least;
  }
  void add(const Key& key, const FailureLimit& limit, base::SteadyTime now) {
    const auto after = limit.after_failure(gone(key), now);
    for (std::size_t row = 0; row < key.size(); ++row) {
      auto& cell = cells_[place(key, row)];
      cell = std::max(cell, after);
    }
  }

 private:
  static constexpr std::size_t kCells = 131'072;  // of a row
  static_assert(std::has_single_bit(kCells));
  static std::size_t place(const Key& key, std::size_t row) { return row * kCells + key[row] % kCells; }

  std::vector<base::SteadyTime> cells_;
};

}  // namespace tribune::accounts
