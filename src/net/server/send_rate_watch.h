#pragma once
// Measures whether a client receives fast enough: the bytes that it acknowledges in a window of time. The caller passes
// the time and the counts. Owned by one worker; its owner is ResponseWriter.
//
// States
//   stopped   no bytes were waiting at the last check       (constructor, reset, is_too_slow)
//   running   a window has begun                            (is_too_slow)

#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace tribune::net {

struct SendRate {
  std::uint64_t min_bits_per_second = 0;  // 0: unlimited
  std::chrono::milliseconds window{10'000};
};

class SendRateWatch {
 public:
  /// `acknowledged`: bytes that the client has acknowledged since the connection began; `waiting`: bytes that it has
  /// not. When nothing is waiting at a check, the window starts again, because the server had nothing to send. True
  /// when the rate of a whole window was below the minimum.
  bool is_too_slow(base::SteadyTime now, std::uint64_t acknowledged, std::uint64_t waiting, const SendRate& rate) {
    if (!running_ || waiting == 0) {
      begin(now, acknowledged);
      running_ = waiting != 0;
      return false;
    }
    if (now - began_ < rate.window) return false;
    const auto ms =
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now - began_).count());
    const bool slow = (acknowledged - acknowledged_at_begin_) * 8 * 1000 < rate.min_bits_per_second * ms;
    begin(now, acknowledged);
    return slow;
  }
  void reset() { running_ = false; }

 private:
  void begin(base::SteadyTime now, std::uint64_t acknowledged) {
    began_ = now;
    acknowledged_at_begin_ = acknowledged;
  }
  base::SteadyTime began_{};
  std::uint64_t acknowledged_at_begin_ = 0;
  bool running_ = false;
};

}  // namespace tribune::net
