#pragma once
// The state of Admission on disk: the lanes of the queues, the sessions that watch, limits that were changed while
// running, and whether the former process ended with sessions. Writes are asynchronous; without attach() nothing is
// written, and every lane counts as written. Sessions and limits are restored by their owners. Past sessions have a
// table of their own (past_sessions.h).

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/access_tables.h"
#include "access/limits.h"
#include "access/queue_lane.h"
#include "access/session_record.h"
#include "access/sessions.h"
#include "access/ticket_queue.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/result.h"
#include "store/store.h"
#include "store/unsaved_records.h"

namespace tribune::access {

/// Owned by its Admission. Callers hold its lock (`mutex`), except for read() and unsaved_sessions(). The store's
/// thread takes that lock when a lane has been written.
class AccessStore {
 public:
  AccessStore(base::Log&, base::Metrics&, std::mutex& mutex);

  /// The data that a former run wrote, without its sessions.
  struct FormerRun {
    std::map<std::string, TicketQueueRecord> lanes;
    std::optional<AccessLimits> limits;  // as changed while running
    bool had_sessions = false;           // it ended with sessions, or was killed
  };
  /// Reads the data of the former run, and records in the store that this run has begun. Call it without the lock.
  base::Result<FormerRun> read(store::Store&);
  /// From now on changes are written to the store. `lanes` are for restore_lane().
  void attach(store::Store&, std::map<std::string, TicketQueueRecord> lanes);
  bool is_attached() const { return store_ != nullptr; }
  /// Passes every stored session to `restore`, and erases those for which it returns false.
  base::Status load_sessions(const std::function<bool(SessionId, const SessionRecord&)>& restore);

  /// Restores the lane from the former run, once.
  void restore_lane(QueueLane&);
  /// Writes the lane when it is dirty or has few reserved numbers left, unless a write is in flight. The lane must
  /// outlive the store.
  void save_lane(QueueLane&);

  void save_session(SessionId, const SessionRecord&);
  void erase_session(SessionId);
  /// Session records that are in flight, or failed and are not written yet. Any thread, without the lock.
  std::int64_t unsaved_sessions() const { return unsaved_.size(); }
  /// Sessions whose last write failed, each once: their present records are to be saved again. At most
  /// UnsavedRecords::kRetriedAtOnce.
  std::vector<SessionId> take_failed() { return unsaved_.take_failed(); }

  /// Whether this run is recorded on disk. Until then a newcomer must not watch: the next run would not expect any
  /// session. True without a store. Any thread, without the lock.
  bool has_begun() const { return !begin_ || begin_->is_done; }
  /// Records it again when that failed.
  void retry_begin();

  /// nullopt: the limits of the configuration apply.
  void save_limits(const std::optional<AccessLimits>&, store::Store::OnCommitted on_durable);

  /// From now on no further numbers are reserved beyond the issued ones.
  void begin_stop() { is_stopping_ = true; }
  bool is_stopping() const { return is_stopping_; }
  void save_end_of_run(bool has_sessions);

 private:
  /// The record that this run has begun.
  struct Begin {
    std::atomic<bool> is_done{false};
    std::atomic<bool> is_writing{false};
  };
  void write_begin(store::Store&);
  std::uint64_t numbers_to_reserve(const QueueLane&) const;
  void on_lane_written(QueueLane&, bool is_written);

  base::Log& log_;
  std::mutex& mutex_;
  store::Store* store_ = nullptr;
  bool is_stopping_ = false;
  std::map<std::string, TicketQueueRecord> lanes_;  // lanes of the former run, until restore_lane() takes them
  store::UnsavedRecords unsaved_;                   // sessions; also used by the store's thread
  std::shared_ptr<Begin> begin_;                    // null without a store
  base::Counter unwritten_;
};

}  // namespace tribune::access
