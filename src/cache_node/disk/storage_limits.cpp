#include "cache_node/disk/storage_limits.h"

namespace tribune::cache_node {

std::uint64_t object_memory_limit(const CacheNodeSettings& settings) {
  return settings.is_memory_only() ? settings.max_bytes : settings.fill_buffer_bytes / 2;
}

StorageLimits::StorageLimits(FillMemory& memory, ObjectIndex& index, RamShrinker& shrinker, DiskWriter& writer,
                             DiskMaintenance& maintenance, const base::Clock& clock)
    : memory_(memory), index_(index), shrinker_(shrinker), writer_(writer), maintenance_(maintenance), clock_(clock) {}

void StorageLimits::set_memory(const CacheNodeSettings& settings) {
  memory_.set_bound(ram_wanted(settings));
  index_.set_max_memory_bytes(object_memory_limit(settings));
  shrinker_.set_configured(object_memory_limit(settings));
}

void StorageLimits::set_disk(const CacheNodeSettings& settings) {
  index_.set_min_age(std::chrono::duration_cast<std::chrono::seconds>(settings.min_age));
  writer_.set_min_free_bytes(settings.min_free_bytes);
  set_max_bytes(settings);
}

void StorageLimits::set_max_bytes(const CacheNodeSettings& settings) {
  maintenance_.evicted(index_.set_max_bytes(settings.max_bytes, base::unix_seconds(clock_.wall_now())));
}

}  // namespace tribune::cache_node
