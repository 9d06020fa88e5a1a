#pragma once
// The client networks from which one session is asked for. A viewer has one or a few: Wi-Fi and mobile, each over IPv4
// and IPv6, and changes from one to another; a token that is handed on is asked for from many at once.

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"

namespace tribune::access {

/// What is done when a session is asked for from more networks at once than may be.
enum class SharingRule { log, refuse, end };

struct NetworkRule {
  std::int64_t most = 4;
  std::chrono::milliseconds handover{std::chrono::minutes{2}};  // for so long a network counts after it was heard
};

/// Owned by its session, under whose lock it is used. 24 bytes while there is one network.
class SessionNetworks {
 public:
  enum class Hearing {
    fine,
    beyond,        // as many others were heard within the hand-over as may be: this one is not taken in
    beyond_again,  // likewise, and that was said within the hand-over
  };
  /// `network` stands for one and is not 0.
  Hearing hear(std::uint32_t network, base::SteadyTime now, const NetworkRule&);

 private:
  struct Heard {
    std::uint32_t network = 0;
    std::uint32_t second = 0;  // of the steady clock
  };
  void forget_silent(std::int64_t now, std::int64_t handover);

  Heard first_;
  Heard told_;                                  // when a network was beyond, the last time that it was said
  std::unique_ptr<std::vector<Heard>> others_;  // most sessions have none
};

}  // namespace tribune::access
