#pragma once
// Fits the RAM of objects and fills to the memory that the process may use: at the start, at a reload, and while memory
// is scarce.

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "cache_node/objects/object_index.h"
#include "cache_node/settings/cache_node_settings.h"

namespace tribune::cache_node {

/// Bytes that the settings keep in RAM: running fills, and the objects of a store in memory.
std::uint64_t ram_wanted(const CacheNodeSettings&);

/// The settings with ram_wanted() scaled down to the allowance; logged as ram_bounds_lowered. Nullopt: no bound.
CacheNodeSettings fitted(CacheNodeSettings, std::optional<std::uint64_t> allowance, base::Log&);

/// Evicts objects from RAM while memory is scarce, and raises the bound in steps of an eighth, at least 30 s apart,
/// while memory is not scarce. Called by the memory monitor on its thread.
class RamShrinker {
 public:
  RamShrinker(std::weak_ptr<ObjectIndex> index, base::Log& log) : index_(std::move(index)), log_(log) {}
  /// Subtracts the evicted bytes from `use`.
  void looked(base::MemoryLevel, base::MemoryUse& use, base::SteadyTime now);
  /// Sets the bound that the settings give. Any thread.
  void set_configured(std::uint64_t bytes) { configured_ = bytes; }

 private:
  const std::weak_ptr<ObjectIndex> index_;
  base::Log& log_;
  std::atomic<std::uint64_t> configured_{0};
  std::optional<base::SteadyTime> changed_;
  std::uint64_t too_many_ = 0;                   // bytes of objects when memory became scarce …
  std::optional<base::SteadyTime> too_many_at_;  // … at this time
};

}  // namespace tribune::cache_node
