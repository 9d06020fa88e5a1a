#pragma once
// Fits the RAM of stored responses to the memory that the process may use: at the start, at a reload, and while memory
// is scarce.

#include <cstdint>
#include <optional>

#include "base/log.h"
#include "base/memory.h"
#include "http_cache/http_cache_settings.h"
#include "http_cache/response_store.h"

namespace tribune::http_cache {

/// The settings with max_bytes lowered to the allowance, and max_object_bytes with it; logged as ram_bounds_lowered.
/// Nullopt: no bound.
HttpCacheSettings fitted(HttpCacheSettings, std::optional<std::uint64_t> allowance, base::Log&);

/// Evicts as many bytes as are missing at this level and subtracts them from `use`. The store's bound does not change,
/// so the store may grow again.
void evict_while_scarce(ResponseStore&, base::MemoryLevel, base::MemoryUse& use);

}  // namespace tribune::http_cache
