#pragma once
// Work on files other than writing them: verifying those of an earlier run before their first use, removing evicted
// ones, and sweeping files without a record. It has a thread of its own, so that a verification does not wait for
// writes. A file is removed after its record has been removed from the disk: if the process is killed in between, the
// next run sweeps the file, and no record is without a file.

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/log.h"
#include "base/metrics.h"
#include "cache_node/disk/index_journal.h"
#include "cache_node/disk/object_files.h"
#include "cache_node/disk/open_files.h"
#include "cache_node/disk/work_thread.h"
#include "cache_node/objects/object_index.h"
#include "net/event_loop.h"

namespace tribune::cache_node {

/// Any thread; locks inside.
class DiskMaintenance {
 public:
  DiskMaintenance(const ObjectFiles&, OpenFiles&, ObjectIndex&, IndexJournal&, base::Log&, base::Metrics&);

  /// Reads the whole file; `on_checked` then runs on the loop. One check per object, however many callers wait for
  /// it. Afterwards the object is verified, or out of the index.
  void check(const ObjectPtr&, net::EventLoop& loop, std::function<void()> on_checked);
  /// Removes files and records of evicted objects, which are already out of the index.
  void evicted(std::vector<ObjectPtr>);
  /// As above, for purged objects.
  void purged(std::vector<ObjectPtr>);
  /// Called for an object that is complete and in the index: writes its record, and removes the object that had its key
  /// before.
  void stored(const Object&, std::string_view key_text, const ObjectPtr& replaced);
  /// Queues the record of a revalidated object to be written again.
  void revalidated(const ObjectPtr&);
  /// Removes an object that a reader found damaged from the index, and its file and record.
  void damaged(const ObjectPtr&, std::string_view why);
  void start_sweep();
  void add(std::function<void()> work) { thread_.add(std::move(work)); }
  /// Waits until all queued work is done, while the parts that it uses still exist. Stops a sweep.
  void finish_queued();

 private:
  struct CheckWaiter {
    net::EventLoop* loop;
    std::function<void()> on_checked;
  };
  void check_now(const ObjectPtr&);
  void remove(const ObjectPtr&);

  const ObjectFiles& files_;
  OpenFiles& open_files_;
  ObjectIndex& index_;
  IndexJournal& journal_;
  base::Log& log_;
  base::Counter evictions_, damaged_, swept_;
  std::mutex mutex_;
  std::unordered_map<ObjectId, std::vector<CheckWaiter>, ObjectIdHash> check_waiters_;  // guarded by mutex_
  std::atomic<bool> is_ending_{false};
  WorkThread thread_;
};

}  // namespace tribune::cache_node
