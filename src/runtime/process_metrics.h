#pragma once
// What the process costs and says of itself, under the names that Prometheus gives them everywhere.

#include <string_view>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

namespace tribune::runtime {

/// The log and the clock must outlive the registry.
void add_process_metrics(base::Metrics&, const base::Clock&, const base::Log&, std::string_view version);

}  // namespace tribune::runtime
