#pragma once
// The choice of the origin that a channel's playlists are fetched from: the first healthy one in the order of
// preference. Pure; times are passed in. Owned by one worker.
//
// States of an origin
//   healthy      is requested                                                         (succeeded)
//   backing off  failed twice in a row, or once by a timeout or a stalled playlist    (failed)
//   due          its back-off is over: one probe requests it, beside the requests that viewers wait for
//                                                                                     (probe_due; ended by the result)
// When no origin is healthy, the one that has backed off longest is requested.

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include "base/clock.h"

namespace tribune::balancer {

class SourceOrigins {
 public:
  /// `count` is at least 1: the source's own origin and its backups.
  explicit SourceOrigins(std::size_t count) : origins_(count) {}

  std::size_t count() const { return origins_.size(); }
  std::size_t choice() const;
  bool is_healthy(std::size_t origin) const { return origins_[origin].healthy; }
  bool is_other_healthy(std::size_t origin) const;

  /// Each returns whether the origin changed between healthy and backing off, so that the change can be logged.
  bool succeeded(std::size_t origin);
  enum class Failure { immediate, delayed };
  bool failed(std::size_t origin, Failure, base::SteadyTime now);

  /// An origin that is preferred to the present choice and whose back-off is over. It counts as probed from then on.
  std::optional<std::size_t> probe_due(base::SteadyTime now);

  static constexpr std::chrono::seconds kFirstBackOff{5};
  static constexpr std::chrono::seconds kMaxBackOff{60};

 private:
  struct Origin {
    bool healthy = true;
    int failures = 0;  // in a row
    std::chrono::seconds back_off{0};
    base::SteadyTime next_try{};
  };
  std::vector<Origin> origins_;
};

}  // namespace tribune::balancer
