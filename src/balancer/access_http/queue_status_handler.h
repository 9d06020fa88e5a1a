#pragma once
// GET /queue/{channel}: the state of a channel's queue, one short text for all viewers. It is made at most once a
// second; a client computes its own position from it (access/queue_status.h).

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
  struct CachedStatus {
    base::SharedBytes text;
    base::SteadyTime made{};
  };

  const base::Clock& clock_;
  const access::Admission& admission_;
  std::mutex mutex_;  // guards the map; held while a text is made, at most once a second
  std::map<std::string, CachedStatus, std::less<>> cached_;  // of configured channels only
};

}  // namespace tribune::balancer
