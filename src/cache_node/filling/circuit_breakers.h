#pragma once
// A circuit breaker for each origin and each node that fills use: after repeated failures it receives no requests for
// a while, then one request before all others.
//
// States of a circuit
//   closed      receives every request                                                          (succeeded)
//   open        has failed the configured number of times in a row; receives no request         (failed)
//   half-open   the rest has passed: one fill sends a request. Its result closes or opens the circuit; a fill without a
//               result within another rest is ignored, and the next one sends a request         (may_request)

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

  /// Whether a fill may send a request now. On a half-open circuit, true makes the caller the one that tests it.
  bool may_request(std::string_view name, base::SteadyTime now);
  void succeeded(std::string_view name);
  /// `is_unusable`: it sent an unusable response, as opposed to none.
  void failed(std::string_view name, const CircuitSettings&, base::SteadyTime now, std::string_view why,
              bool is_unusable = false);
  /// Whether its last failure was an unusable response.
  bool sent_unusable_response(std::string_view name) const;

  /// Used by tests.
  bool is_open(std::string_view name) const;

  /// Further names have no circuit. Names come from configurations, so there are few.
  static constexpr std::size_t kMaxNames = 4'096;

 private:
  struct Circuit {
    std::int64_t failures = 0;  // in a row
    bool open = false;
    bool is_unusable = false;
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
