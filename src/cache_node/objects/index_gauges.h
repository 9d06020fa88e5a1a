#pragma once
// The index's totals as gauges.

#include <memory>

#include "base/metrics.h"
#include "cache_node/objects/object_index.h"

namespace tribune::cache_node {

/// Sets the gauges before each scrape, while the index exists.
void register_index_gauges(base::Metrics&, std::weak_ptr<const ObjectIndex>, std::shared_ptr<const FillMemory>);

}  // namespace tribune::cache_node
