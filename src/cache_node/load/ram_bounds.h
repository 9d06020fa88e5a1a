#pragma once
// What the settings promise of RAM, fitted to what the process may have, at the start and while it runs.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "cache_node/objects/object_index.h"
#include "cache_node/settings/cache_node_settings.h"

namespace tribune::cache_node {

/// Bytes for objects and running fills, of what the process's bound leaves now; nothing when there is no bound. Some is
/// left for connections, and for what the heap wastes.
std::optional<std::uint64_t> ram_allowance(const std::optional<base::MemoryUse>&);

/// The settings with all that they would keep in RAM scaled down to the allowance, which the log says.
CacheNodeSettings fitted(CacheNodeSettings, std::optional<std::uint64_t> allowance, base::Log&);

/// Takes objects out of RAM while memory is scarce, and lets the store grow again when it has long been plentiful. The
/// memory's keeper calls it from its thread.
class RamShrinker {
 public:
  RamShrinker(std::weak_ptr<ObjectIndex> index, base::Log& log) : index_(std::move(index)), log_(log) {}
  void looked(base::MemoryLevel, const base::MemoryUse&, base::SteadyTime now);
  /// The bound that the settings give; it holds from now on. Any thread.
  void set_configured(std::uint64_t bytes) { configured_ = bytes; }
  /// Who else holds bytes that it can do without: told how many are wanted once there are no objects left to take. Any
  /// thread; nothing: nobody.
  void set_also(std::function<void(std::uint64_t)>);

 private:
  const std::weak_ptr<ObjectIndex> index_;
  base::Log& log_;
  std::atomic<std::uint64_t> configured_{0};
  std::optional<base::SteadyTime> changed_;
  std::uint64_t too_many_ = 0;                   // so many bytes of objects were too many …
  std::optional<base::SteadyTime> too_many_at_;  // … then
  std::mutex mutex_;
  std::function<void(std::uint64_t)> also_;  // guarded by mutex_
};

}  // namespace tribune::cache_node
