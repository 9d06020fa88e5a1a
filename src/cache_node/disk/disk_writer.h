#pragma once
// The thread that writes running fills to their files and gives complete ones their final names. No fsync: length and
// checksum are verified before the first use after a restart, and lost objects are filled again. After a failed write
// the fill continues in RAM.

#include <atomic>
#include <memory>
#include <optional>
#include <unordered_map>

#include "base/clock.h"
#include "base/metrics.h"
#include "cache_node/disk/disk_health.h"
#include "cache_node/disk/disk_maintenance.h"
#include "cache_node/disk/object_files.h"
#include "cache_node/disk/work_thread.h"
#include "cache_node/objects/object_index.h"

namespace tribune::cache_node {

/// Any thread; locks inside.
class DiskWriter {
 public:
  DiskWriter(const ObjectFiles&, ObjectIndex&, DiskMaintenance&, DiskHealth&, const base::Clock&);

  /// Called when the fill has new bytes or has ended. Cheap when its work is already queued.
  void changed(const std::shared_ptr<Fill>&);
  /// Waits until all queued work is done.
  void finish_queued();
  /// Keeps objects in RAM and writes nothing from now on. Call it before the first fill.
  void use_memory_only() { memory_only_ = true; }
  /// When the disk has fewer free bytes, objects are evicted; below half of this value nothing is written.
  void set_min_free_bytes(std::uint64_t bytes) { min_free_bytes_ = bytes; }
  /// Tests whether a failed disk accepts writes again. Cheap while the disk is healthy.
  void probe();
  /// Removes the file and record of an object that has left the index because the origin no longer has it.
  void discard(const ObjectPtr& object) { disk_maintenance_.purged({object}); }
  void revalidated(const ObjectPtr& object) { disk_maintenance_.revalidated(object); }

 private:
  using OpenFile = std::shared_ptr<const base::File>;
  void process(const std::shared_ptr<Fill>&);
  base::Status write(Fill&, OpenFile&, const Fill::Unwritten&);
  void continue_in_memory(const std::shared_ptr<Fill>&, const base::Error&);
  void store_complete(const std::shared_ptr<Fill>&);
  void evict_bytes(std::uint64_t least);
  base::Status check_free_bytes();

  const ObjectFiles& files_;
  ObjectIndex& index_;
  DiskMaintenance& disk_maintenance_;
  DiskHealth& health_;
  const base::Clock& clock_;
  std::unordered_map<const Fill*, OpenFile> writing_;  // of the thread
  std::optional<base::SteadyTime> last_eviction_;      // of the thread
  std::atomic<std::uint64_t> min_free_bytes_{0};
  std::atomic<bool> memory_only_{false};
  WorkThread thread_;  // last, because its work uses all members above
};

}  // namespace tribune::cache_node
