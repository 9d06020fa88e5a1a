#include "access/access_store.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "access/past_sessions.h"
#include "base/json.h"

namespace tribune::access {
namespace {

// Numbers for a burst of newcomers between two commits. A crash wastes the numbers that were not issued, so a lane with
// few newcomers reserves few.
constexpr std::uint64_t kMinReserved = 4'096, kMaxReserved = 32'768;
constexpr std::string_view kRunKey = "/run";  // no channel id begins with '/'
constexpr std::string_view kLimitsKey = "limits";

}  // namespace

AccessStore::AccessStore(base::Log& log, base::Metrics& metrics, std::mutex& mutex)
    : log_(log),
      mutex_(mutex),
      unwritten_(metrics.counter("tribune_access_sessions_unwritten_total",
                                 "Writes of sessions to disk that failed; each is repeated until the disk has room.")) {
}

base::Result<AccessStore::FormerRun> AccessStore::read(store::Store& store) {
  FormerRun former;
  auto scanned = store.scan(kLinesTable, [&](std::string_view key, std::string_view value) {
    if (key == kRunKey) {
      former.had_sessions = value != "empty";
    } else if (auto record = parse_ticket_queue_record(value)) {
      former.lanes.emplace(std::string(key), *record);
    } else {
      log_.warning("access", "queue_record_unreadable", {{"queue", key}});
    }
    return true;
  });
  if (!scanned) return tl::unexpected(scanned.error());
  const auto limits = store.get(kLimitsTable, kLimitsKey);
  if (!limits) return tl::unexpected(limits.error());
  if (AccessLimits changed; *limits && apply_changes(changed, **limits)) former.limits = std::move(changed);
  begin_ = std::make_shared<Begin>();
  write_begin(store);
  return former;
}

void AccessStore::write_begin(store::Store& store) {
  begin_->is_writing = true;
  store.put(kLinesTable, std::string(kRunKey), "running", [begin = begin_](base::Status status) {
    begin->is_done = status.has_value();
    begin->is_writing = false;
  });
}

void AccessStore::retry_begin() {
  if (store_ && !has_begun() && !begin_->is_writing && !is_stopping_) write_begin(*store_);
}

void AccessStore::attach(store::Store& store, std::map<std::string, TicketQueueRecord> lanes) {
  store_ = &store;
  lanes_ = std::move(lanes);
}

base::Status AccessStore::load_sessions(const std::function<bool(SessionId, const SessionRecord&)>& restore) {
  std::vector<std::string> useless;
  std::size_t restored = 0;
  auto scanned = store_->scan(kSessionsTable, [&](std::string_view key, std::string_view value) {
    const auto id = session_from_key(key);
    const auto record = session_record(value);
    const bool is_restored = id != 0 && record && restore(id, *record);
    restored += is_restored;
    if (!is_restored) useless.emplace_back(key);
    return true;
  });
  if (!scanned) return scanned;
  if (restored + useless.size() > 0)
    log_.info("access", "sessions_restored", {{"sessions", restored}, {"dropped", useless.size()}});
  for (auto& key : useless) store_->erase(kSessionsTable, std::move(key));
  return {};
}

void AccessStore::restore_lane(QueueLane& lane) {
  const auto found = lanes_.find(lane.disk.key);
  if (found == lanes_.end()) return;
  lane.tickets.restore(found->second);
  lane.disk.served = found->second.served;
  lane.disk.first = lane.tickets.next();
  lane.disk.is_dirty = true;
  lanes_.erase(found);
}

std::uint64_t AccessStore::numbers_to_reserve(const QueueLane& lane) const {
  return is_stopping_ ? 0 : std::clamp(4 * (lane.tickets.next() - lane.disk.first), kMinReserved, kMaxReserved);
}

void AccessStore::save_lane(QueueLane& lane) {
  auto& disk = lane.disk;
  const auto ahead = numbers_to_reserve(lane);
  if (disk.reserved - std::min(disk.reserved, lane.tickets.next()) < ahead / 2) disk.is_dirty = true;
  if (!disk.is_dirty || disk.is_writing) return;
  disk.is_dirty = false;
  disk.writing = lane.tickets.record();
  disk.writing.reserved = lane.tickets.next() + ahead;
  if (!store_) {
    disk.reserved = disk.writing.reserved;
    disk.served = disk.writing.served;
    return;
  }
  disk.is_writing = true;
  store_->put(kLinesTable, disk.key, to_text(disk.writing), [this, &lane](base::Status status) {
    const std::lock_guard lock(mutex_);
    on_lane_written(lane, status.has_value());
  });
}

void AccessStore::on_lane_written(QueueLane& lane, bool is_written) {
  lane.disk.is_writing = false;
  if (!is_written) {
    lane.disk.is_dirty = true;  // written again with the next change or tick
    return;
  }
  lane.disk.reserved = lane.disk.writing.reserved;
  lane.disk.served = lane.disk.writing.served;
  save_lane(lane);
}

void AccessStore::save_session(SessionId id, const SessionRecord& record) {
  if (!store_) return;
  unsaved_.queued();
  store_->put(kSessionsTable, table_key(id), to_text(record), [this, id](base::Status status) {
    if (!status) unwritten_.add();
    unsaved_.finished(id, status);
  });
}

void AccessStore::erase_session(SessionId id) {
  if (store_) store_->erase(kSessionsTable, table_key(id));
}

void AccessStore::save_limits(const std::optional<AccessLimits>& limits, store::Store::OnCommitted on_durable) {
  if (!store_) {
    if (on_durable) on_durable({});
    return;
  }
  std::optional<std::string> text;
  if (limits) {
    base::json::Writer w;
    w.begin_object();
    write_members(w, *limits);
    text = w.end_object().take();
  }
  store_->keep(kLimitsTable, std::string(kLimitsKey), std::move(text), std::move(on_durable));
}

void AccessStore::save_end_of_run(bool has_sessions) {
  if (store_) store_->put(kLinesTable, std::string(kRunKey), has_sessions ? "watched" : "empty");
}

}  // namespace tribune::access
