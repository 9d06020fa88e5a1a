#pragma once
// The durable part of the index: a record per complete object and per file that is stored in slices, written in batches
// off the loops. A node that cannot open the records (disk full at the start) serves without them, and loses its index
// when it stops.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/log.h"
#include "base/metrics.h"
#include "base/result.h"
#include "cache_node/disk/index_records.h"
#include "cache_node/objects/object_index.h"
#include "store/store.h"

namespace tribune::cache_node {

/// Any thread; locks inside. load() before the others.
class IndexJournal {
 public:
  IndexJournal(base::Log&, base::Metrics&);

  /// Opens the records and restores them into the index, oldest object first. From then on it records which files are
  /// stored in slices, and must outlive the fills that change the index. Errors: conflict when another process uses
  /// the folder; any other failure is logged, and the node continues without records.
  base::Status load(const std::string& store_dir, std::uint64_t max_index_bytes, ObjectIndex&);
  /// Tries again to open records that could not be opened. Blocks on the disk.
  void retry();

  /// For both functions: `on_settled` runs on the store's thread once the disk has the change or has refused it.
  /// False when there are no records; it then does not run.
  using OnSettled = std::function<void()>;
  bool stored(const Object&, std::string_view key_text, OnSettled on_settled = {});
  bool gone(const Object&, OnSettled on_settled = {});
  /// Writes the record again with the object's current flags. Blocks on the disk.
  void write_again(const Object&);
  /// Visits every record on disk. Blocks on the disk. Errors: unavailable when no records can be read.
  base::Status each(const std::function<void(const ReadRecord&)>& visit) const;
  /// The stored objects whose record could not be written.
  std::vector<ObjectId> without_record() const;
  /// Waits until the disk has all changes.
  void flush();
  /// The reason why records are not written; empty while they are.
  std::string trouble() const;

 private:
  std::size_t restore(store::Store&, ObjectIndex&);
  std::size_t restore_files(store::Store&, SlicedFiles&);
  void file_changed(const ObjectId&, const SlicedFile*);
  std::shared_ptr<store::Store> store() const;

  base::Log& log_;
  /// Shared with the store's callbacks.
  struct Counts {
    std::atomic<std::int64_t> pending{0};
    std::atomic<bool> last_failed{false};
    std::mutex mutex;
    std::unordered_set<ObjectId, ObjectIdHash> without_record;  // guarded by mutex
  };
  const std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();
  base::Gauge pending_;
  base::Counter failures_;
  store::StoreOptions options_;
  mutable std::mutex mutex_;
  std::shared_ptr<store::Store> store_;  // guarded by mutex_
};

}  // namespace tribune::cache_node
