#pragma once
// A circuit breaker for each origin and each other node that fills come from: who fails again and again is left alone
// for a while, then asked by one fill before all ask again.
//
// States of a circuit
//   closed      asked by every fill                                                             (succeeded)
//   open        failed so often in a row: asked by none until its rest is over                  (failed)
//   half-open   the rest is over: one fill asks. What it finds closes the circuit, or opens it again; a fill that says
//               nothing within another rest is forgotten, and the next one asks                 (may_ask)

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "cache_node/settings/fill_settings.h"

namespace tribune::cache_node {

/// Any thread; locks inside, for one look-up.
class Circuits {
 public:
  Circuits(base::Log& log, base::Metrics& metrics);

  /// Whether a fill may ask there now. True makes the caller the one who asks when the circuit is half-open.
  bool may_request(std::string_view name, base::SteadyTime now);
  void succeeded(std::string_view name);
  /// `badly`: it was there and gave what cannot be used, as opposed to nothing.
  void failed(std::string_view name, const CircuitSettings&, base::SteadyTime now, std::string_view why,
              bool badly = false);
  /// What it did the last time that it failed.
  bool answers_badly(std::string_view name) const;

  /// Of those that are known; for tests and status pages.
  bool is_open(std::string_view name) const;

  /// Names beyond this are not watched: they come from configurations, so there are few.
  static constexpr std::size_t kMaxNames = 4'096;

 private:
  struct Circuit {
    std::int64_t failures = 0;  // in a row
    bool open = false;
    bool badly = false;
    std::chrono::milliseconds rest{};
    base::SteadyTime next_try{};  // when open
  };
  base::Log& log_;
  base::Counter opened_;
  base::Gauge open_;
  mutable std::mutex mutex_;  // guards the rest
  std::map<std::string, Circuit, std::less<>> circuits_;
};

}  // namespace tribune::cache_node
