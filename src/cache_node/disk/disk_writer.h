#pragma once
// The thread that writes running fills to their files and makes complete ones visible. No fsync: length and checksum
// are checked before the first use after a restart, and what is lost is filled again. A failed write moves the fill to
// RAM.

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

  /// The fill got bytes or ended. Cheap when the thread knows already.
  void changed(const std::shared_ptr<Fill>&);
  /// Waits until all that was queued is done.
  void finish_queued();
  /// Objects stay in RAM from now on, and nothing is written. Before the first fill.
  void use_memory_only() { memory_only_ = true; }
  /// Below so many free bytes of the disk objects are evicted; below half of them nothing more is written.
  void set_min_free_bytes(std::uint64_t bytes) { min_free_bytes_ = bytes; }
  /// Tries whether the disk that failed takes writes again. Cheap while all is well.
  void probe();
  /// Out of the index already, because the origin does not stand by it.
  void discard(const ObjectPtr& object) { disk_maintenance_.purged({object}); }
  void revalidated(const ObjectPtr& object) { disk_maintenance_.revalidated(object); }

 private:
  using OpenFile = std::shared_ptr<const base::File>;
  void serve(const std::shared_ptr<Fill>&);
  base::Status write(Fill&, OpenFile&, const Fill::Unwritten&);
  void give_up(const std::shared_ptr<Fill>&, const base::Error&);
  void settle(const std::shared_ptr<Fill>&);
  void make_room(std::uint64_t least);
  base::Status check_free_bytes();

  const ObjectFiles& files_;
  ObjectIndex& index_;
  DiskMaintenance& disk_maintenance_;
  DiskHealth& health_;
  const base::Clock& clock_;
  std::unordered_map<const Fill*, OpenFile> writing_;  // of the thread
  std::optional<base::SteadyTime> made_room_;          // of the thread
  std::atomic<std::uint64_t> min_free_bytes_{0};
  std::atomic<bool> memory_only_{false};
  WorkThread thread_;  // last: its work uses all of the above
};

}  // namespace tribune::cache_node
