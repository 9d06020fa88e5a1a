#pragma once
// The durable half of the index: a record per complete object, written in batches off the loops. A node without it (disk
// full at the start) serves all the same and forgets at its end.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/log.h"
#include "base/metrics.h"
#include "base/result.h"
#include "cache_node/object_index.h"
#include "store/store.h"

namespace tribune::cache_node {

/// Any thread; locks inside. load() before the others.
class IndexJournal {
 public:
  IndexJournal(base::Log&, base::Metrics&);

  /// Opens the records and restores them into the index, oldest object first. Errors: conflict when another process has
  /// the folder; any other trouble is told in the log, and the node goes on without records.
  base::Status load(const std::string& store_dir, std::uint64_t max_index_bytes, ObjectIndex&);

  void stored(const Object&, std::string_view key_text);
  void gone(const Object&);
  /// Waits for the disk.
  void flush();
  /// Why records are not written; empty while all is well.
  std::string trouble() const;

 private:
  std::size_t restore(ObjectIndex&);

  base::Log& log_;
  /// Shared with the store's callbacks.
  struct Counts {
    std::atomic<std::int64_t> pending{0};
    std::atomic<bool> last_failed{false};
  };
  const std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();
  base::Gauge pending_;
  base::Counter failures_;
  std::unique_ptr<store::Store> store_;
};

}  // namespace tribune::cache_node
