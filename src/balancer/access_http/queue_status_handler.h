#pragma once
// GET /queue/{channel}: how far a channel's queue is, the same small text for everybody. Made once a second at most;
// who waits works out the own place from it (access/queue_status.h).

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "access/admission.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "http/message.h"

namespace tribune::balancer {

/// Any thread; locks inside.
class QueueStatusHandler {
 public:
  QueueStatusHandler(const base::Clock& clock, const access::Admission& admission)
      : clock_(clock), admission_(admission) {}

  http::Response answer(std::string_view channel);

 private:
  struct Notice {
    base::SharedBytes text;
    base::SteadyTime made{};
  };

  const base::Clock& clock_;
  const access::Admission& admission_;
  std::mutex mutex_;  // guards the map; held while a notice is made, which is short and happens once a second
  std::map<std::string, Notice, std::less<>> notices_;  // of configured channels only
};

}  // namespace tribune::balancer
