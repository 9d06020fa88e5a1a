#pragma once
// Whether the store on disk works: its writes and its records.

#include <string>

#include "cache_node/disk/disk_health.h"
#include "cache_node/disk/disk_maintenance.h"
#include "cache_node/disk/disk_writer.h"
#include "cache_node/disk/index_journal.h"

namespace tribune::cache_node {

/// Any thread; the parts lock inside, and outlive it.
class StoreStatus {
 public:
  StoreStatus(const DiskHealth& health, IndexJournal& journal, DiskWriter& writer, DiskMaintenance& maintenance)
      : health_(health), journal_(journal), writer_(writer), maintenance_(maintenance) {}

  /// The failure of the disk, or else of the records; empty while both work.
  std::string problem() const {
    auto disk = health_.reason();
    return disk.empty() ? journal_.trouble() : disk;
  }

  /// Tests a disk that has failed, and opens records that could not be opened. Call it every second or so.
  void retry_failed() {
    writer_.probe();
    if (!journal_.trouble().empty()) maintenance_.add([&journal = journal_] { journal.retry(); });
  }

 private:
  const DiskHealth& health_;
  IndexJournal& journal_;
  DiskWriter& writer_;
  DiskMaintenance& maintenance_;
};

}  // namespace tribune::cache_node
