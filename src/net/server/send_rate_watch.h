#pragma once
// Whether a client takes what it is sent fast enough: bytes that left the kernel's queue in a window of time. Owned by
// one worker; the caller brings the clock and the figures.

#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace tribune::net {

struct SendRate {
  std::uint64_t min_bits_per_second = 0;  // 0: any rate will do
  std::chrono::milliseconds window{10'000};
};

class SendRateWatch {
 public:
  /// `taken`: bytes that the client has acknowledged since the connection began; `waiting`: bytes that it has not. A
  /// window in which nothing waited at a look begins anew: then it was we who had nothing to send. True when a whole
  /// window passed below the rate.
  bool is_too_slow(base::SteadyTime now, std::uint64_t taken, std::uint64_t waiting, const SendRate& rate) {
    if (!running_ || waiting == 0) {
      begin(now, taken);
      running_ = waiting != 0;
      return false;
    }
    if (now - began_ < rate.window) return false;
    const auto ms =
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now - began_).count());
    const bool slow = (taken - taken_at_begin_) * 8 * 1000 < rate.min_bits_per_second * ms;
    begin(now, taken);
    return slow;
  }
  void reset() { running_ = false; }

 private:
  void begin(base::SteadyTime now, std::uint64_t taken) {
    began_ = now;
    taken_at_begin_ = taken;
  }
  base::SteadyTime began_{};
  std::uint64_t taken_at_begin_ = 0;
  bool running_ = false;
};

}  // namespace tribune::net
