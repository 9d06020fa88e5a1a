#pragma once
// What happens to files beside writing them: checking those of the last run before their first use, removing what was
// evicted, and sweeping away files that no record names. One thread of its own, so that a check waits for no write. A
// file goes when the disk knows that its record is gone: killed in between, the next run sweeps the file away, and has
// no record without a file.

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

  /// Reads the whole file; `on_checked` then runs on the loop. One check per object, however many ask meanwhile.
  /// Afterwards the object is verified, or out of the index.
  void check(const ObjectPtr&, net::EventLoop& loop, std::function<void()> on_checked);
  /// Out of the index already, to make room: removes files and records.
  void evicted(std::vector<ObjectPtr>);
  /// Out of the index already, by order.
  void purged(std::vector<ObjectPtr>);
  /// Complete and in the index by now: writes its record, and removes what had its key before, if anything had.
  void stored(const Object&, std::string_view key_text, const ObjectPtr& replaced);
  /// Fresh again: its record says so soon.
  void revalidated(const ObjectPtr&);
  /// Found damaged by a reader: drops it from the index, then as evicted.
  void damaged(const ObjectPtr&, std::string_view why);
  void start_sweep();
  void add(std::function<void()> work) { thread_.add(std::move(work)); }
  /// Before the end: waits until all that was queued is done, while what it uses is still there. A sweep is cut short.
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
