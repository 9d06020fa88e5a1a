// Removal from the index: eviction, damage, purge.
#include "cache_node/objects/object_index.h"

namespace tribune::cache_node {

namespace {
constexpr std::size_t kMaxMarksTaken = 4'096;  // per eviction, while the index is locked
}  // namespace

void ObjectIndex::evict_entry(Entry& entry) {
  sieve_.remove(entry);
  if (!serving_stale_.empty()) serving_stale_.erase(entry.id());
  --totals_.objects;
  totals_.bytes -= std::get<ObjectPtr>(entry.is)->size;
  erase(entry);
}

void ObjectIndex::evict_from_memory(Entry& entry) {
  memory_sieve_.remove(entry);
  unrecorded_.erase(entry.id());
  totals_.memory_bytes -= std::get<std::unique_ptr<InMemory>>(entry.is)->bytes;
  --totals_.memory_objects;
  erase(entry);
}

bool ObjectIndex::drop(const ObjectPtr& object) {
  const std::lock_guard lock(mutex_);
  Entry* entry = find(object->id);
  const auto* stored = entry ? std::get_if<ObjectPtr>(&entry->is) : nullptr;
  if (!stored || *stored != object) return false;
  evict_entry(*entry);
  return true;
}

bool ObjectIndex::drop(const std::shared_ptr<Fill>& in_memory) {
  const std::lock_guard lock(mutex_);
  Entry* entry = find(in_memory->key().id);
  const auto* held = entry ? std::get_if<std::unique_ptr<InMemory>>(&entry->is) : nullptr;
  if (!held || (*held)->fill != in_memory) return false;
  evict_from_memory(*entry);
  return true;
}

void ObjectIndex::evict_above(std::uint64_t bytes, std::int64_t now_unix, std::vector<ObjectPtr>& evicted) {
  const auto object_of = [](const base::SieveLink& link) -> const ObjectPtr& {
    return std::get<ObjectPtr>(static_cast<const Entry&>(link).is);
  };
  // The index has one reference; all others are readers'.
  const auto in_use = [&](const base::SieveLink& link) { return object_of(link).use_count() > 1; };
  // The queue is in order of arrival. An object with a time in the future was stored before the clock was set back.
  const auto is_young = [&](const base::SieveLink& link) {
    const auto age = now_unix - object_of(link)->stored;
    return age >= 0 && age < min_age_seconds_;
  };
  while (totals_.bytes > bytes) {
    auto* link = sieve_.candidate(in_use, is_young, kMaxMarksTaken);
    if (!link) return;
    evicted.push_back(object_of(*link));
    evict_entry(static_cast<Entry&>(*link));
  }
}

void ObjectIndex::trim_memory() {
  const auto in_use = [](const base::SieveLink& link) {
    return std::get<std::unique_ptr<InMemory>>(static_cast<const Entry&>(link).is)->fill.use_count() > 1;
  };
  const auto none = [](const base::SieveLink&) { return false; };
  while (totals_.memory_bytes > max_memory_bytes_) {
    auto* link = memory_sieve_.candidate(in_use, none, kMaxMarksTaken);
    if (!link) return;
    evict_from_memory(static_cast<Entry&>(*link));
  }
}

std::vector<ObjectPtr> ObjectIndex::evict_bytes(std::uint64_t bytes, std::int64_t now_unix) {
  std::vector<ObjectPtr> evicted;
  const std::lock_guard lock(mutex_);
  evict_above(totals_.bytes > bytes ? totals_.bytes - bytes : 0, now_unix, evicted);
  return evicted;
}

std::vector<ObjectPtr> ObjectIndex::set_max_bytes(std::uint64_t bytes, std::int64_t now_unix) {
  std::vector<ObjectPtr> evicted;
  const std::lock_guard lock(mutex_);
  max_bytes_ = bytes;
  evict_above(max_bytes_, now_unix, evicted);
  return evicted;
}

void ObjectIndex::set_max_memory_bytes(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  max_memory_bytes_ = bytes;
  trim_memory();
}

std::uint64_t ObjectIndex::max_memory_bytes() const {
  const std::lock_guard lock(mutex_);
  return max_memory_bytes_;
}

void ObjectIndex::set_min_age(std::chrono::seconds age) {
  const std::lock_guard lock(mutex_);
  min_age_seconds_ = age.count();
}

ObjectIndex::Purged ObjectIndex::purge(const ObjectId& id, bool soft) {
  Purged purged;
  const std::lock_guard lock(mutex_);
  Entry* entry = find(id);
  if (!entry) return purged;
  purged.found = true;
  if (std::holds_alternative<std::shared_ptr<Fill>>(entry->is)) {
    // Its readers continue; its bytes date from before the purge and are not kept.
    end_fill(id);
    if (!soft) purged.gone = forget_replaced(id);
    if (!soft || !restore_replaced(*entry)) erase(*entry);
    return purged;
  }
  serving_stale_.erase(id);
  if (auto* object = std::get_if<ObjectPtr>(&entry->is)) {
    (soft ? purged.stale : purged.gone) = *object;
    (*object)->stale = true;
    if (!soft) evict_entry(*entry);
  } else if (auto* memory = std::get_if<std::unique_ptr<InMemory>>(&entry->is)) {
    (*memory)->stale = true;
    if (!soft) evict_from_memory(*entry);
  } else {
    purged.found = false;
    erase(*entry);
  }
  return purged;
}

}  // namespace tribune::cache_node
