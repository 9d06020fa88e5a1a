#include "cache_node/disk/disk_maintenance.h"

#include <future>

namespace tribune::cache_node {

DiskMaintenance::DiskMaintenance(const ObjectFiles& files, OpenFiles& open_files, ObjectIndex& index,
                                 IndexJournal& journal, base::Log& log, base::Metrics& metrics)
    : files_(files),
      open_files_(open_files),
      index_(index),
      journal_(journal),
      log_(log),
      evictions_(metrics.counter("tribune_cache_evictions_total", "Objects evicted to free storage space.")),
      damaged_(metrics.counter("tribune_cache_damaged_objects_total",
                               "Objects dropped because their file was missing or did not match its record.")),
      swept_(metrics.counter("tribune_cache_swept_files_total",
                             "Files removed because no index record referred to them.")) {}

void DiskMaintenance::check(const ObjectPtr& object, net::EventLoop& loop, std::function<void()> on_checked) {
  {
    const std::lock_guard lock(mutex_);
    const auto [at, is_first] = check_waiters_.try_emplace(object->id);
    at->second.push_back({&loop, std::move(on_checked)});
    if (!is_first) return;
  }
  thread_.add([this, object] { check_now(object); });
}

void DiskMaintenance::check_now(const ObjectPtr& object) {
  const auto sound = files_.verify(*object);
  if (sound) {
    object->verified = true;
  } else if (sound.error().kind != base::ErrorKind::unavailable) {
    damaged(object, sound.error().text);
  }
  std::vector<CheckWaiter> asking;
  {
    const std::lock_guard lock(mutex_);
    auto node = check_waiters_.extract(object->id);
    asking = std::move(node.mapped());
  }
  for (auto& a : asking) a.loop->post(std::move(a.on_checked));
}

void DiskMaintenance::evicted(std::vector<ObjectPtr> objects) {
  if (objects.empty()) return;
  evictions_.add(static_cast<double>(objects.size()));
  for (const auto& object : objects) remove(object);
}

void DiskMaintenance::purged(std::vector<ObjectPtr> objects) {
  for (const auto& object : objects) remove(object);
}

void DiskMaintenance::stored(const Object& object, std::string_view key_text, const ObjectPtr& replaced) {
  if (!replaced) {
    journal_.stored(object, key_text);
    return;
  }
  const auto remove_file = [&files = files_, replaced] { files.remove(*replaced); };
  if (!journal_.stored(object, key_text, remove_file)) thread_.add(remove_file);
}

void DiskMaintenance::revalidated(const ObjectPtr& object) {
  thread_.add([this, object] {
    // When the object has been evicted since, its record is being removed. If it were written again, it would remain
    // without a file.
    if (index_.knows(object->id, object->generation)) journal_.write_again(*object);
  });
}

void DiskMaintenance::remove(const ObjectPtr& object) {
  open_files_.forget(object->id);
  // The removal of the record is queued at once, before a refilled object can queue its own record under the same
  // key.
  const auto remove_file = [&files = files_, object] { files.remove(*object); };
  if (!journal_.gone(*object, remove_file)) thread_.add(remove_file);
}

void DiskMaintenance::damaged(const ObjectPtr& object, std::string_view why) {
  if (!index_.drop(object)) return;
  damaged_.add();
  log_.warning("cache_node", "object_damaged", {{"object", object->id.hex()}, {"reason", why}});
  remove(object);
}

void DiskMaintenance::finish_queued() {
  is_ending_ = true;
  std::promise<void> done;
  thread_.add([&done] { done.set_value(); });
  done.get_future().wait();
}

void DiskMaintenance::start_sweep() {
  thread_.add([this] {
    const auto removed =
        files_.sweep([this](const ObjectId& id, std::uint32_t generation) { return index_.knows(id, generation); },
                     [this] { return is_ending_ || thread_.is_stopping(); });
    swept_.add(static_cast<double>(removed));
    if (removed > 0) log_.info("cache_node", "orphans_removed", {{"files", removed}});
  });
}

}  // namespace tribune::cache_node
