#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "access/admission_inner.h"
#include "base/ids.h"

namespace tribune::access {
namespace {

// Of a burst of newcomers between two commits. A crash wastes what was not given out, so a lane that few join has few.
constexpr std::uint64_t kLeastNumbersAhead = 4'096, kMostNumbersAhead = 32'768;
constexpr std::string_view kRunKey = "/run";  // no channel's id begins so
constexpr std::string_view kLimitsKey = "limits";

}  // namespace

std::uint64_t Admission::Inner::numbers_ahead(const Lane& lane) const {
  return is_stopping ? 0 : std::clamp(4 * (lane.line.next() - lane.disk.first), kLeastNumbersAhead, kMostNumbersAhead);
}

/// What is to be on disk, when something is to be and nothing is on its way.
void Admission::Inner::write_behind(Lane& lane) {
  auto& disk = lane.disk;
  const auto ahead = numbers_ahead(lane);
  if (disk.reserved - std::min(disk.reserved, lane.line.next()) < ahead / 2) disk.is_dirty = true;
  if (!disk.is_dirty || disk.is_writing) return;
  disk.is_dirty = false;
  disk.writing = lane.line.record();
  disk.writing.reserved = lane.line.next() + ahead;
  if (!store) {
    disk.reserved = disk.writing.reserved;
    disk.served = disk.writing.served;
    return;
  }
  disk.is_writing = true;
  store->put(kLinesTable, disk.key, to_text(disk.writing), [this, &lane](base::Status status) {
    const std::lock_guard lock(mutex);
    on_written(lane, status.has_value());
  });
}

void Admission::Inner::on_written(Lane& lane, bool is_written) {
  lane.disk.is_writing = false;
  if (!is_written) {
    lane.disk.is_dirty = true;  // again with the next change or tick
    return;
  }
  lane.disk.reserved = lane.disk.writing.reserved;
  lane.disk.served = lane.disk.writing.served;
  write_behind(lane);
}

void Admission::Inner::take_up(Lane& lane) {
  const auto found = records.find(lane.disk.key);
  if (found == records.end()) return;
  lane.line.take_up(found->second);
  lane.disk.served = found->second.served;
  lane.disk.first = lane.line.next();
  lane.disk.is_dirty = true;
  records.erase(found);
}

void Admission::Inner::set_limits(AccessLimits next) {
  next.account_rule = settings.account_rule;
  limits = std::move(next);
  scopes.set(limits);
  has_changed = true;
  tell_places();
}

void Admission::Inner::keep_limits(store::Store::OnCommitted on_durable) {
  if (!store) {
    if (on_durable) on_durable({});
    return;
  }
  if (!limits_are_live) return store->keep(kLimitsTable, std::string(kLimitsKey), std::nullopt, std::move(on_durable));
  base::json::Writer w;
  w.begin_object();
  write_members(w, limits);
  store->keep(kLimitsTable, std::string(kLimitsKey), w.end_object().take(), std::move(on_durable));
}

/// Who watched counts from now on, in every scope, and has `restart_grace` to ask again.
base::Status Admission::Inner::load_sessions() {
  if (auto loaded = past.load(*store, base::unix_seconds(clock.wall_now())); !loaded) return loaded;
  std::vector<std::string> useless;
  std::size_t restored = 0;
  auto scanned = store->scan(kSessionsTable, [&](std::string_view key, std::string_view value) {
    const auto id = session_from_key(key);
    const auto kept = session_record(value);
    const bool is_restored = id != 0 && kept && restore(id, *kept);
    restored += is_restored;
    if (!is_restored) useless.emplace_back(key);
    return true;
  });
  if (!scanned) return scanned;
  if (restored + useless.size() > 0)
    log.info("access", "sessions_restored", {{"sessions", restored}, {"dropped", useless.size()}});
  for (auto& key : useless) store->erase(kSessionsTable, std::move(key));
  return {};
}

base::Status Admission::load(store::Store& store) {
  auto& inner = *inner_;
  std::map<std::string, TicketQueueRecord> records;
  std::optional<bool> was_empty;
  auto scanned = store.scan(kLinesTable, [&](std::string_view key, std::string_view value) {
    if (key == kRunKey) {
      was_empty = value == "empty";
    } else if (auto record = line_record(value)) {
      records.emplace(std::string(key), *record);
    } else {
      inner.log.warning("access", "queue_record_unreadable", {{"queue", key}});
    }
    return true;
  });
  if (!scanned) return scanned;
  const auto kept = store.get(kLimitsTable, kLimitsKey);
  if (!kept) return tl::unexpected(kept.error());
  store.put(kLinesTable, std::string(kRunKey), "running");
  {
    const std::lock_guard lock(inner.mutex);
    const auto now = inner.clock.steady_now();
    inner.store = &store;
    inner.records = std::move(records);
    AccessLimits limits;
    if (*kept && apply_changes(limits, **kept)) {
      inner.limits_are_live = true;
      inner.set_limits(std::move(limits));
    }
    if (was_empty && !*was_empty) {
      const bool has_queue = !inner.records.empty();
      inner.grace_until = now + inner.settings.restart_grace;
      // Who waits asks once in a refresh and a fifth: nobody is called before all could be heard.
      if (has_queue) inner.grace_until = std::max(inner.grace_until, now + inner.settings.refresh * 3 / 2);
    }
    inner.late_until = now + inner.settings.lease();
    if (auto loaded = inner.load_sessions(); !loaded) return loaded;
    for (auto& [id, queue] : inner.channels)
      for (auto& lane : queue->lanes) {
        inner.take_up(*lane);
        lane->disk.is_dirty = true;
        inner.write_behind(*lane);
      }
  }
  return store.flush();
}

void Admission::stop() {
  auto& inner = *inner_;
  const std::lock_guard lock(inner.mutex);
  if (!inner.store) return;
  inner.is_stopping = true;  // no number is wasted
  for (auto& [id, queue] : inner.channels)
    for (auto& lane : queue->lanes) {
      lane->disk.is_dirty = true;
      inner.write_behind(*lane);
    }
  inner.store->put(kLinesTable, std::string(kRunKey), inner.sessions.count() == 0 ? "empty" : "watched");
}

}  // namespace tribune::access
