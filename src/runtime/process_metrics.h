#pragma once
// Metrics of the process (CPU, memory, descriptors, version, dropped log lines), with Prometheus' standard names where
// they exist.

#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

namespace tribune::runtime {

/// The number of open descriptors (0 before Linux 6.2) and its limit. Any thread.
struct Descriptors {
  std::int64_t open = 0;
  std::int64_t most = 0;
};
Descriptors descriptors();

/// The log and the clock must outlive the registry.
void add_process_metrics(base::Metrics&, const base::Clock&, const base::Log&, std::string_view version);

}  // namespace tribune::runtime
