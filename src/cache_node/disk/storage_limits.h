#pragma once
// Applies the limits on RAM and disk that the settings give to the parts of the store.

#include <cstdint>

#include "base/clock.h"
#include "cache_node/disk/disk_maintenance.h"
#include "cache_node/disk/disk_writer.h"
#include "cache_node/load/ram_bounds.h"
#include "cache_node/objects/fill_memory.h"
#include "cache_node/objects/object_index.h"
#include "cache_node/settings/cache_node_settings.h"

namespace tribune::cache_node {

/// Bytes of RAM for complete objects: all objects on a node without a disk, else those that could not be written to the
/// disk.
std::uint64_t object_memory_limit(const CacheNodeSettings&);

/// Owned by the main thread. The parts outlive it.
class StorageLimits {
 public:
  StorageLimits(FillMemory&, ObjectIndex&, RamShrinker&, DiskWriter&, DiskMaintenance&, const base::Clock&);

  /// Sets the limits on RAM. The settings must have passed through fitted().
  void set_memory(const CacheNodeSettings&);
  /// Sets the limits on the disk, and evicts the objects that exceed them. Call it after the index has been loaded.
  void set_disk(const CacheNodeSettings&);

  /// Sets the bound on stored bytes alone.
  void set_max_bytes(const CacheNodeSettings&);

 private:
  FillMemory& memory_;
  ObjectIndex& index_;
  RamShrinker& shrinker_;
  DiskWriter& writer_;
  DiskMaintenance& maintenance_;
  const base::Clock& clock_;
};

}  // namespace tribune::cache_node
