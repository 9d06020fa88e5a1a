#pragma once
// What the process costs and says of itself, under the names that Prometheus gives them everywhere.

#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

namespace tribune::runtime {

/// Open descriptors (0 where the kernel is too old to say) and the most that may be open. Any thread.
struct Descriptors {
  std::int64_t open = 0;
  std::int64_t most = 0;
};
Descriptors descriptors();

/// The log and the clock must outlive the registry.
void add_process_metrics(base::Metrics&, const base::Clock&, const base::Log&, std::string_view version);

}  // namespace tribune::runtime
