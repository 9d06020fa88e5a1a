#pragma once
// The client networks that use one session. A viewer has one or a few: Wi-Fi and mobile, each over IPv4 and IPv6, and
// changes between them; a token that is passed on is used from many at once.

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"

namespace tribune::access {

/// The rule for a session that is used from more networks at once than allowed.
enum class SharingRule { log, refuse, end };

struct NetworkRule {
  std::int64_t most = 4;
  std::chrono::milliseconds handover{std::chrono::minutes{2}};  // a network counts for this time after its last request
};

/// The whole second of the steady clock.
inline std::int64_t second_of(base::SteadyTime time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

/// Owned by its session, under whose lock it is used. 24 bytes while there is one network.
class SessionNetworks {
 public:
  enum class Usage {
    allowed,
    exceeded,        // `most` other networks made requests within the handover; this one is not recorded
    exceeded_again,  // as `exceeded`, which was already returned within the handover
  };
  /// Records a request from a network. `network` is a hash and not 0.
  Usage record(std::uint32_t network, base::SteadyTime now, const NetworkRule&);

 private:
  struct LastRequest {
    std::uint32_t network = 0;
    std::uint32_t second = 0;  // second of the steady clock
  };
  void remove_silent(std::int64_t now, std::int64_t handover);

  LastRequest first_;
  LastRequest reported_;                              // the last time that `exceeded` was returned
  std::unique_ptr<std::vector<LastRequest>> others_;  // most sessions have none
};

}  // namespace tribune::access
