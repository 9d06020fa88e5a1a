#pragma once
// Removes objects from the cache by order: stored ones, those in RAM, and running fills, whose bytes date from before
// the order. Once it reports that it is done, neither a request nor a restart returns an object that existed when it
// began.

#include <functional>

#include "base/log.h"
#include "base/metrics.h"
#include "base/result.h"
#include "cache_node/disk/disk_maintenance.h"
#include "cache_node/disk/disk_writer.h"
#include "cache_node/disk/index_journal.h"
#include "cache_node/objects/object_index.h"
#include "contracts/order.h"

namespace tribune::cache_node {

/// Any thread; its parts lock inside and outlive it.
class Purge {
 public:
  Purge(ObjectIndex&, IndexJournal&, DiskMaintenance&, DiskWriter&, base::Log&, base::Metrics&);

  /// `on_done` runs on the maintenance thread, with the number of purged objects. Errors: unavailable when keys
  /// cannot be read. `with_variants`: an object purged by URL may have variants (vary_rules.h), which are purged too.
  void run(const contracts::PurgeOrder&, std::function<void(base::Result<std::uint64_t>)> on_done,
           bool with_variants = false);

 private:
  base::Result<std::uint64_t> run_now(const contracts::PurgeOrder&, bool with_variants);
  base::Result<std::uint64_t> by_url(const contracts::PurgeOrder&);
  base::Result<std::uint64_t> by_others(const contracts::PurgeOrder&);
  base::Result<std::uint64_t> all(const contracts::PurgeOrder&);
  std::uint64_t unrecorded(const contracts::PurgeOrder&);
  bool one(const ObjectId&, bool soft);

  ObjectIndex& index_;
  IndexJournal& journal_;
  DiskMaintenance& disk_maintenance_;
  DiskWriter& disk_;
  base::Log& log_;
  base::Counter purged_hard_, purged_soft_;
};

}  // namespace tribune::cache_node
